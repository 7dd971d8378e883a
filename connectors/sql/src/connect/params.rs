//! Query options of addresses, as the drivers of Java document them: which mean something here, which do not and why.

use crate::dialect::Dialect;
use crate::url::ServerUrl;

/// What becomes of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It has its meaning here too.
    Mapped,
    /// It changes nothing, for this reason.
    Ignored(&'static str),
    /// Without it the connection would not be what was asked for.
    Unsupported(&'static str),
    /// Nobody knows it.
    Unknown,
}

const TUNING: &str =
    "it tunes the Java driver; batches go through COPY or statements with many rows anyway";
const TIMEOUTS: &str = "`connection.timeout` and `connection.watch` say how long to wait";
const ENCODING: &str = "text is always UTF-8 (utf8mb4)";
const ZONES: &str = "sessions run in UTC; `db.timezone` gives a zone to times without one";
const TRUST: &str = "Java's key stores cannot be read; name a PEM file with `connection.tls.ca`";

/// Returns each option of an address with its fate.
pub(crate) fn fates(url: &ServerUrl) -> Vec<(&str, Fate)> {
    let fate = match url.dialect {
        Dialect::Postgres => postgres,
        Dialect::MySql => mysql,
        Dialect::Sqlite => sqlite,
    };
    url.params
        .iter()
        .map(|(name, value)| (name.as_str(), fate(&name.to_ascii_lowercase(), value)))
        .collect()
}

fn postgres(name: &str, value: &str) -> Fate {
    match name {
        "sslmode" | "ssl" | "sslrootcert" | "sslcert" | "sslkey" | "currentschema"
        | "search_path" | "applicationname" | "application_name" | "host" | "connecttimeout"
        | "connect_timeout" | "options" => Fate::Mapped,
        "rewritebatchedinserts"
        | "preparethreshold"
        | "preparedstatementcachequeries"
        | "preparedstatementcachesizemib"
        | "defaultrowfetchsize"
        | "binarytransfer"
        | "binarytransferenable"
        | "adaptivefetch"
        | "prefergetpreparedstatement"
        | "loglevel"
        | "loggerlevel"
        | "autosave"
        | "cleanupsavepoints"
        | "prefer_query_mode"
        | "preferquerymode"
        | "databasemetadatacachefields"
        | "maxresultbuffer"
        | "gssencmode"
        | "channelbinding" => Fate::Ignored(TUNING),
        "stringtype" => Fate::Ignored(
            "text goes to columns of every type as the server's own input functions read it",
        ),
        "tcpkeepalive"
        | "sockettimeout"
        | "logintimeout"
        | "cancelsignaltimeout"
        | "tcpnodelay" => Fate::Ignored(TIMEOUTS),
        "charset" | "characterencoding" | "allowencodingchanges" => Fate::Ignored(ENCODING),
        "sslfactory" | "sslpassword" | "sslhostnameverifier" | "sslpasswordcallback" => {
            Fate::Ignored(TRUST)
        }
        "targetservertype"
            if matches!(
                value.to_ascii_lowercase().as_str(),
                "any" | "primary" | "master" | "preferprimary"
            ) =>
        {
            Fate::Ignored(
                "hosts are tried in order, and a server that takes no writes is left again",
            )
        }
        "loadbalancehosts" | "hostrecheckseconds" => Fate::Ignored("hosts are tried in order"),
        "targetservertype" => {
            Fate::Unsupported("hosts are tried in order, a replica is not looked for")
        }
        "gsslib"
        | "kerberosservername"
        | "jaasapplicationname"
        | "sspiserviceclass"
        | "usespnego" => Fate::Unsupported("logging in through Kerberos is not offered"),
        _ => Fate::Unknown,
    }
}

fn mysql(name: &str, _value: &str) -> Fate {
    match name {
        "usessl"
        | "requiressl"
        | "sslmode"
        | "ssl-mode"
        | "verifyservercertificate"
        | "ssl-ca"
        | "ssl-cert"
        | "ssl-key"
        | "serversslcert"
        | "connecttimeout"
        | "zerodatetimebehavior"
        | "tinyint1isbit" => Fate::Mapped,
        "servertimezone"
        | "connectiontimezone"
        | "forceconnectiontimezonetosession"
        | "uselegacydatetimecode"
        | "usetimezone"
        | "usejdbccomplianttimezoneshift"
        | "preserveinstants"
        | "cachedefaulttimezone"
        | "timezone" => Fate::Ignored(ZONES),
        "useunicode" | "characterencoding" | "charset" | "connectioncollation" | "characterset" => {
            Fate::Ignored(ENCODING)
        }
        "rewritebatchedstatements"
        | "usebulkstmts"
        | "usebatchmultisend"
        | "cacheprepstmts"
        | "prepstmtcachesize"
        | "prepstmtcachesqllimit"
        | "useserverprepstmts"
        | "usecursorfetch"
        | "defaultfetchsize"
        | "useconfigs"
        | "uselocalsessionstate"
        | "elidesetautocommits"
        | "maintaintimestats"
        | "cacheserverconfiguration"
        | "cacheresultsetmetadata"
        | "useaffectedrows"
        | "usecompression"
        | "useinformationschema"
        | "nullcatalogmeanscurrent"
        | "nulldatabasemeanscurrent"
        | "allowmultiqueries"
        | "yearisdatetype"
        | "permitmysqlscheme"
        | "databaseterm" => Fate::Ignored(TUNING),
        "sockettimeout" | "tcpkeepalive" | "autoreconnect" | "failoverreadonly"
        | "maxreconnects" | "initialtimeout" => Fate::Ignored(TIMEOUTS),
        "allowpublickeyretrieval" | "serverrsapublickeyfile" | "defaultauthenticationplugin" => {
            Fate::Ignored("the server's key is asked for where its way of logging in needs it")
        }
        "trustcertificatekeystoreurl"
        | "trustcertificatekeystorepassword"
        | "trustcertificatekeystoretype"
        | "clientcertificatekeystoreurl"
        | "clientcertificatekeystorepassword"
        | "clientcertificatekeystoretype"
        | "enabledtlsprotocols"
        | "tlsversions"
        | "trustserver" => Fate::Ignored(TRUST),
        "allowloadlocalinfile" | "allowurlinlocalinfile" | "autodeserialize" => {
            Fate::Ignored("it is never done, which is the safe side")
        }
        "sessionvariables" | "queryinterceptors" | "propertiestransform" => {
            Fate::Unsupported("settings of the session belong to the server or the user there")
        }
        _ => Fate::Unknown,
    }
}

fn sqlite(name: &str, value: &str) -> Fate {
    match name {
        "journal_mode" | "busy_timeout" | "foreign_keys" | "synchronous" => Fate::Mapped,
        "cache" | "open_mode" | "date_class" | "date_precision" | "date_string_format"
        | "encoding" | "page_size" | "cache_size" | "mode" => {
            Fate::Ignored("the file is opened as linkspan needs it")
        }
        "password" | "key" | "cipher" | "hexkey_mode" if !value.is_empty() => {
            Fate::Unsupported("encrypted files need another build of SQLite")
        }
        _ => Fate::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_has_a_fate() {
        let check = |text: &str, expected: &[(&str, bool)]| {
            let url = ServerUrl::parse(text).unwrap();
            let found: Vec<_> = fates(&url)
                .into_iter()
                .map(|(name, fate)| (name, fate == Fate::Mapped))
                .collect();
            assert_eq!(found, expected, "{text}");
        };
        check(
            "jdbc:postgresql://h/d?sslmode=require&reWriteBatchedInserts=true&currentSchema=s",
            &[
                ("sslmode", true),
                ("reWriteBatchedInserts", false),
                ("currentSchema", true),
            ],
        );
        check(
            "jdbc:mysql://h/d?useSSL=false&serverTimezone=UTC",
            &[("useSSL", true), ("serverTimezone", false)],
        );
        let url = ServerUrl::parse("jdbc:postgresql://h/d?targetServerType=secondary&frobnicate=1")
            .unwrap();
        let found = fates(&url);
        assert!(matches!(found[0].1, Fate::Unsupported(_)));
        assert_eq!(found[1].1, Fate::Unknown);
    }
}
