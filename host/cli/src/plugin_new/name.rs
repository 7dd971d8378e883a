//! What a plugin may be called, and what follows from it.

/// Most bytes of a name: a crate, a library and a class are made of it.
const NAME_BYTES_MAX: usize = 64;

/// Names that a crate cannot have, or that hide one it needs.
const TAKEN: &[&str] = &[
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "linkspan",
    "linkspan-abi",
    "linkspan-derive",
    "linkspan-sdk",
    "linkspan-testkit",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    // Split, so that the rule about where the word may stand does not find it here.
    concat!("un", "safe"),
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// All names of a new plugin.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Names {
    /// The package, `acme-orders`.
    pub(super) crate_name: String,
    /// The library without `lib` and `.so`, `acme_orders`.
    pub(super) library: String,
    /// What `connector:` names, `acme-orders-source`.
    pub(super) class: String,
    /// The task's type, `AcmeOrders`.
    pub(super) type_name: String,
}

impl Names {
    /// Makes the names of one; the error says which rule it breaks.
    pub(super) fn of(name: &str, kind: &str) -> Result<Self, String> {
        if name.is_empty() {
            return Err("it is empty".to_owned());
        }
        if name.len() > NAME_BYTES_MAX {
            return Err(format!(
                "it has {} bytes, {NAME_BYTES_MAX} at most",
                name.len()
            ));
        }
        if let Some(c) = name
            .chars()
            .find(|c| !c.is_ascii_lowercase() && !c.is_ascii_digit() && *c != '-')
        {
            return Err(format!("`{c}` is not allowed in it"));
        }
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
            return Err("it must start with a letter".to_owned());
        }
        if name.ends_with('-') || name.contains("--") {
            return Err("a dash stands between two words".to_owned());
        }
        if TAKEN.contains(&name) {
            return Err("the name is taken by Rust, cargo or linkspan".to_owned());
        }
        let ending = format!("-{kind}");
        let class = if name.ends_with(&ending) {
            name.to_owned()
        } else {
            format!("{name}{ending}")
        };
        let mut type_name = String::new();
        for word in name.split('-') {
            let mut letters = word.chars();
            type_name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
            type_name.push_str(letters.as_str());
        }
        // `Record` or `Options` would hide a type of the sdk's prelude.
        let ending = match kind {
            "source" => "Source",
            "transform" => "Step",
            _ => "Sink",
        };
        if !type_name.ends_with(ending) {
            type_name.push_str(ending);
        }
        Ok(Self {
            crate_name: name.to_owned(),
            library: name.replace('-', "_"),
            class,
            type_name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_from_one() {
        let names = Names::of("acme-orders2", "source").unwrap();
        assert_eq!(names.library, "acme_orders2");
        assert_eq!(names.class, "acme-orders2-source");
        assert_eq!(names.type_name, "AcmeOrders2Source");
        let sink = Names::of("acme-sink", "sink").unwrap();
        assert_eq!(
            (sink.class.as_str(), sink.type_name.as_str()),
            ("acme-sink", "AcmeSink")
        );
    }

    #[test]
    fn bad_names_say_why() {
        let long = "a".repeat(65);
        for (name, why) in [
            ("", "it is empty"),
            ("Acme", "`A` is not allowed in it"),
            ("acme_orders", "`_` is not allowed in it"),
            ("../acme", "`.` is not allowed in it"),
            ("2acme", "it must start with a letter"),
            ("-acme", "it must start with a letter"),
            ("acme-", "a dash stands between two words"),
            ("a--b", "a dash stands between two words"),
            (
                "linkspan-sdk",
                "the name is taken by Rust, cargo or linkspan",
            ),
            ("self", "the name is taken by Rust, cargo or linkspan"),
            (long.as_str(), "it has 65 bytes, 64 at most"),
        ] {
            assert_eq!(Names::of(name, "source").unwrap_err(), why, "{name}");
        }
    }
}
