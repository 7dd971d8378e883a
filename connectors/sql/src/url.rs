//! Where a database is: `postgres://`, `mysql://`, `sqlite:` and the `jdbc:` forms of the same.
//!
//! Not here: opening a connection (see `connect`). A password in the text never leaves this module except as a [`Secret`].

use std::fmt;
use std::path::PathBuf;

use linkspan_sdk::Secret;

use crate::dialect::Dialect;

/// What works, for messages about what does not.
pub(crate) const WORKING: &str = "PostgreSQL (`postgres://`, `jdbc:postgresql:`), MySQL and MariaDB (`mysql://`, `mariadb://`, `jdbc:mysql:`, \
     `jdbc:mariadb:`) and SQLite (`sqlite:`, `jdbc:sqlite:`) work";

/// The most bytes of an address.
const URL_BYTES_MAX: usize = 8 << 10;

/// An address taken apart.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ServerUrl {
    pub(crate) dialect: Dialect,
    pub(crate) place: Place,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Secret>,
    /// Query options in their order, names as written.
    pub(crate) params: Vec<(String, String)>,
}

/// Where the database lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Servers that are tried in order, and the database on them.
    Server {
        hosts: Vec<(String, u16)>,
        database: Option<String>,
    },
    /// A file of SQLite.
    File(PathBuf),
    /// A database in memory, gone with its connection.
    Memory,
}

/// Why a text is no address that works here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UrlError {
    #[error("is longer than {URL_BYTES_MAX} bytes")]
    TooLong,
    #[error("is empty; {WORKING}")]
    Empty,
    #[error("names `{0}`, which linkspan does not speak yet; {WORKING}")]
    NotYet(String),
    #[error("begins with no known scheme; {WORKING}")]
    Scheme,
    #[error("has the port `{0}`, which is no number from 1 to 65535")]
    Port(String),
    #[error("names no host")]
    Host,
    #[error("names no file")]
    File,
    #[error(
        "uses `{0}`, which is not offered: name one server, or several with commas between them"
    )]
    Cluster(String),
    #[error("has a `%` that no two hexadecimal digits follow")]
    Escape,
}

impl ServerUrl {
    /// Takes an address apart.
    pub(crate) fn parse(text: &str) -> Result<Self, UrlError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(UrlError::Empty);
        }
        if text.len() > URL_BYTES_MAX {
            return Err(UrlError::TooLong);
        }
        let (jdbc, rest) = match strip_prefix_ignoring_case(text, "jdbc:") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (scheme, rest) = rest.split_once(':').ok_or(UrlError::Scheme)?;
        match scheme.to_ascii_lowercase().as_str() {
            "postgres" | "postgresql" => server(Dialect::Postgres, rest, jdbc),
            "mysql" | "mariadb" => server(Dialect::MySql, rest, jdbc),
            "sqlite" => file(rest),
            other if jdbc => Err(UrlError::NotYet(format!("jdbc:{other}:"))),
            "oracle" | "sqlserver" | "mssql" | "db2" | "redshift" | "snowflake" | "h2" => {
                Err(UrlError::NotYet(scheme.to_owned()))
            }
            _ => Err(UrlError::Scheme),
        }
    }

    /// Returns the last value of a query option; names are compared without case.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        let found = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        self.params
            .iter()
            .rev()
            .find(found)
            .map(|(_, value)| value.as_str())
    }

    /// Returns the name of the database, where there is one.
    pub(crate) fn database(&self) -> Option<&str> {
        match &self.place {
            Place::Server { database, .. } => database.as_deref(),
            Place::File(_) | Place::Memory => None,
        }
    }
}

/// The address without password and query options.
impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Server { hosts, database } => {
                let scheme = match self.dialect {
                    Dialect::Postgres => "postgres",
                    Dialect::MySql | Dialect::Sqlite => "mysql",
                };
                write!(f, "{scheme}://")?;
                for (n, (host, port)) in hosts.iter().enumerate() {
                    let comma = if n > 0 { "," } else { "" };
                    if host.contains(':') {
                        write!(f, "{comma}[{host}]:{port}")?;
                    } else {
                        write!(f, "{comma}{host}:{port}")?;
                    }
                }
                write!(f, "/{}", database.as_deref().unwrap_or_default())
            }
            Place::File(path) => write!(f, "sqlite:{}", path.display()),
            Place::Memory => f.write_str("sqlite::memory:"),
        }
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// `//[user[:password]@]host[:port][,host[:port]]/[database][?options]`, or `database[?options]` as JDBC allows for PostgreSQL.
fn server(dialect: Dialect, rest: &str, jdbc: bool) -> Result<ServerUrl, UrlError> {
    let (rest, query) = split_query(rest);
    let mut params = parse_query(query)?;
    let (user, password, hosts, database) = match rest.strip_prefix("//") {
        Some(rest) => {
            let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
            let (login, hosts) = match authority.rsplit_once('@') {
                Some((login, hosts)) => (Some(login), hosts),
                None => (None, authority),
            };
            let (user, password) =
                match login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
                    Some((user, "")) => (Some(unescape(user)?), None),
                    Some((user, password)) => (Some(unescape(user)?), Some(unescape(password)?)),
                    None => (None, None),
                };
            (
                user,
                password,
                hosts_of(dialect, hosts)?,
                unescape(database)?,
            )
        }
        None if jdbc && dialect == Dialect::Postgres => (
            None,
            None,
            vec![("localhost".to_owned(), dialect.port())],
            unescape(rest.trim_start_matches('/'))?,
        ),
        None => match rest.split_once("//") {
            Some((cluster, _)) => return Err(UrlError::Cluster(cluster.to_owned())),
            None => return Err(UrlError::Host),
        },
    };
    // A login may stand among the options too; it is taken out so that nothing shows it.
    let mut take = |name: &str| {
        let at = params
            .iter()
            .position(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(params.remove(at).1)
    };
    let user = user
        .filter(|user| !user.is_empty())
        .or_else(|| take("user"));
    let password = password.or_else(|| take("password"));
    Ok(ServerUrl {
        dialect,
        place: Place::Server {
            hosts,
            database: Some(database).filter(|name| !name.is_empty()),
        },
        user,
        password: password.map(Secret::new),
        params,
    })
}

fn hosts_of(dialect: Dialect, text: &str) -> Result<Vec<(String, u16)>, UrlError> {
    let mut hosts = Vec::new();
    for one in text.split(',') {
        let one = one.trim();
        if one.starts_with("address=") || one.starts_with('(') {
            return Err(UrlError::Cluster(one.to_owned()));
        }
        let (host, port) = match one.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':').unwrap_or_default()),
            None => one.rsplit_once(':').unwrap_or((one, "")),
        };
        let port = match port {
            "" => dialect.port(),
            port => match port.parse() {
                Ok(number) if number != 0 => number,
                _ => return Err(UrlError::Port(port.to_owned())),
            },
        };
        let host = unescape(host)?;
        hosts.push((
            if host.is_empty() {
                "localhost".to_owned()
            } else {
                host
            },
            port,
        ));
    }
    Ok(hosts)
}

/// `path`, `//path`, `///absolute`, `:memory:`, with or without `?options`.
fn file(rest: &str) -> Result<ServerUrl, UrlError> {
    let (path, query) = split_query(rest);
    let path = path.strip_prefix("file:").unwrap_or(path);
    let path = match path.strip_prefix("//") {
        Some(rest) if rest.starts_with('/') => rest,
        Some(rest) => rest,
        None => path,
    };
    let place = match path {
        "" => return Err(UrlError::File),
        ":memory:" => Place::Memory,
        path => Place::File(PathBuf::from(unescape(path)?)),
    };
    Ok(ServerUrl {
        dialect: Dialect::Sqlite,
        place,
        user: None,
        password: None,
        params: parse_query(query)?,
    })
}

fn split_query(text: &str) -> (&str, &str) {
    text.split_once('?').unwrap_or((text, ""))
}

/// `a=1&b=2`; a name alone has an empty value.
fn parse_query(query: &str) -> Result<Vec<(String, String)>, UrlError> {
    let mut params = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        params.push((unescape(name)?, unescape(value)?));
    }
    Ok(params)
}

/// Replaces `%41` by `A`.
fn unescape(text: &str) -> Result<String, UrlError> {
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = after;
            continue;
        }
        let (digits, after) = after.split_at_checked(2).ok_or(UrlError::Escape)?;
        let digits = std::str::from_utf8(digits).map_err(|_| UrlError::Escape)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| UrlError::Escape)?);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| UrlError::Escape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, shown: &str, user: Option<&str>, password: Option<&str>) {
        let url = ServerUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(url.to_string(), shown, "{text}");
        assert_eq!(url.user.as_deref(), user, "{text}");
        assert_eq!(
            url.password.as_ref().map(Secret::expose),
            password,
            "{text}"
        );
    }

    #[test]
    fn addresses_are_taken_apart_and_shown_without_a_password() {
        check(
            "postgres://u:p%40x@h:5433/d",
            "postgres://h:5433/d",
            Some("u"),
            Some("p@x"),
        );
        check("postgresql://h/d", "postgres://h:5432/d", None, None);
        check(
            "jdbc:postgresql://h:1,i/d?user=u&password=p&ssl=true",
            "postgres://h:1,i:5432/d",
            Some("u"),
            Some("p"),
        );
        check(
            "jdbc:postgresql:d",
            "postgres://localhost:5432/d",
            None,
            None,
        );
        check(
            "jdbc:mysql://h:3307/d?useSSL=false",
            "mysql://h:3307/d",
            None,
            None,
        );
        check(
            "jdbc:mariadb://[::1]:3306/d",
            "mysql://[::1]:3306/d",
            None,
            None,
        );
        check("JDBC:MySQL://h", "mysql://h:3306/", None, None);
        check("sqlite:out/flights.db", "sqlite:out/flights.db", None, None);
        check(
            "jdbc:sqlite:/a/b.db?cache=shared",
            "sqlite:/a/b.db",
            None,
            None,
        );
        check("sqlite:///a/b.db", "sqlite:/a/b.db", None, None);
        check("sqlite://a.db", "sqlite:a.db", None, None);
        check("sqlite::memory:", "sqlite::memory:", None, None);
    }

    #[test]
    fn what_does_not_work_says_what_does() {
        let refused = |text: &str| ServerUrl::parse(text).unwrap_err();
        assert_eq!(
            refused("jdbc:oracle:thin:@h:1521/x"),
            UrlError::NotYet("jdbc:oracle:".to_owned())
        );
        assert_eq!(
            refused("jdbc:sqlserver://h;databaseName=d"),
            UrlError::NotYet("jdbc:sqlserver:".to_owned())
        );
        assert!(refused("jdbc:db2://h/d").to_string().contains("PostgreSQL"));
        assert_eq!(
            refused("postgres://h:99999/d"),
            UrlError::Port("99999".to_owned())
        );
        assert_eq!(
            refused("jdbc:mysql:replication://a,b/d"),
            UrlError::Cluster("replication:".to_owned())
        );
        assert_eq!(refused("nothing"), UrlError::Scheme);
        assert_eq!(refused(""), UrlError::Empty);
        assert_eq!(refused("sqlite:"), UrlError::File);
        assert_eq!(refused("postgres://u:%zz@h/d"), UrlError::Escape);
    }

    #[test]
    fn options_are_found_without_case() {
        let url =
            ServerUrl::parse("jdbc:postgresql://h/d?currentSchema=s&SSLMODE=require&x").unwrap();
        assert_eq!(url.param("currentschema"), Some("s"));
        assert_eq!(url.param("sslmode"), Some("require"));
        assert_eq!(url.param("x"), Some(""));
        assert_eq!(url.param("y"), None);
        assert_eq!(url.database(), Some("d"));
    }

    #[test]
    fn nothing_shows_a_password() {
        let url = ServerUrl::parse("postgres://u:geheim@h/d?password=geheim2").unwrap();
        assert!(!format!("{url} {url:?}").contains("geheim"));
    }
}
