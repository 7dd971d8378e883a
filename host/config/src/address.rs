//! What of a database's address is a secret, so that an error can name host and database although a placeholder gave the address.
//!
//! Only addresses of databases are looked into: the path of a web address may itself be the secret (`https://hooks…/T0/B0/…`), and what
//! is not understood stays hidden as a whole.

/// Schemes behind which no part of host, port or database is a secret.
const SCHEMES: [&str; 5] = ["postgres", "postgresql", "mysql", "mariadb", "sqlite"];

/// Parts of names of query options whose values are secrets.
const SECRET_WORDS: [&str; 6] = ["pass", "pwd", "secret", "token", "key", "credential"];

/// Returns what must not be shown of an address of a database: the password, and the values of query options that may be secrets, as
/// they are written and without `%41`. `None`: the text is no such address.
pub(crate) fn secrets(address: &str) -> Option<Vec<String>> {
    let text = address.trim();
    let rest = match text.split_at_checked(5) {
        Some((head, rest)) if head.eq_ignore_ascii_case("jdbc:") => rest,
        _ => text,
    };
    let (scheme, rest) = rest.split_once(':')?;
    if !SCHEMES
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
    {
        return None;
    }
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut found: Vec<&str> = Vec::new();
    if let Some(authority) = place.strip_prefix("//") {
        // A password may hold a `/` that nobody escaped: whatever stands before the last `@` belongs to the login.
        let login = authority.rsplit_once('@').map(|(login, _)| login);
        if let Some((_, password)) = login.and_then(|login| login.split_once(':')) {
            found.push(password);
        }
    } else if place.contains('@') {
        return None;
    }
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = name.to_ascii_lowercase();
        if SECRET_WORDS.iter().any(|word| name.contains(word)) {
            found.push(value);
        }
    }
    let mut secrets: Vec<String> = Vec::new();
    for one in found {
        for form in [one.to_owned(), unescaped(one)] {
            if !form.is_empty() && !secrets.contains(&form) {
                secrets.push(form);
            }
        }
    }
    Some(secrets)
}

/// Replaces `%41` by `A`; what is no such escape stays.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits
            .filter(|_| first == b'%')
            .and_then(|two| u8::from_str_radix(two, 16).ok());
        bytes.push(byte.unwrap_or(first));
        rest = match byte {
            Some(_) => after.get(2..).unwrap_or_default(),
            None => after,
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::secrets;

    #[test]
    fn the_password_of_a_database_is_secret_and_its_place_is_not() {
        let check = |address: &str, expected: &[&str]| {
            assert_eq!(secrets(address).unwrap(), expected, "{address}");
        };
        check("postgres://h:5432/shop", &[]);
        check("sqlite:a/b.db", &[]);
        check("postgres://anna@h/shop", &[]);
        check("postgres://u:p%40ss@h/shop", &["p%40ss", "p@ss"]);
        check("mysql://u:a/b@c@h/shop", &["a/b@c"]);
        check(
            "jdbc:postgresql://h/shop?user=anna&password=hunter2&ssl=true",
            &["hunter2"],
        );
        check(
            "JDBC:mysql://h/shop?useSSL=false&trustCertificateKeyStorePassword=x1y",
            &["x1y"],
        );
    }

    #[test]
    fn what_is_no_address_of_a_database_stays_hidden() {
        for text in [
            "https://hooks.example/T0/B0/xyz",
            "jdbc:sqlserver://h;password=p",
            "jdbc:oracle:thin:u/p@h",
            "postgres:u:p@h/d",
            "hunter2",
            "",
        ] {
            assert_eq!(secrets(text), None, "{text}");
        }
    }
}
