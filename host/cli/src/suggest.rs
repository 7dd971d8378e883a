//! Which name may have been meant.

/// Names that are listed where none is near.
const LISTED_MAX: usize = 12;

/// Commands of `kcctl`, `conduit`, `rpk connect`, `vector`, Kafka's scripts and shells, and the one that does it here.
const ELSEWHERE: [(&str, &str); 17] = [
    ("cat", "linkspan consume TOPIC"),
    ("connectors", "linkspan get connectors"),
    ("create", "linkspan run FILE.yaml"),
    ("diff", "linkspan plan"),
    ("init", "linkspan run --once configs/quickstart.yaml"),
    ("lint", "linkspan validate FILE.yaml"),
    ("list", "linkspan get connectors"),
    ("ls", "linkspan get connectors"),
    ("new", "linkspan plugin new NAME"),
    ("quickstart", "linkspan run --once configs/quickstart.yaml"),
    ("rm", "linkspan delete NAME"),
    ("schema", "linkspan config schema"),
    ("start", "linkspan run FILE.yaml"),
    ("status", "linkspan get connectors --watch"),
    ("test", "linkspan validate --connect FILE.yaml"),
    ("top", "linkspan get connectors --watch"),
    ("version", "linkspan --version"),
];

/// Returns the command that does what `word` does in another program.
pub(crate) fn elsewhere(word: &str) -> Option<&'static str> {
    let known = ELSEWHERE.iter().find(|(other, _)| *other == word);
    known.map(|(_, here)| *here)
}

/// Returns what to say about an unknown name: the nearest of those there are, or what there is.
pub(crate) fn meant(name: &str, known: &[String], what: &str) -> String {
    if let Some(near) = nearest(name, known) {
        return format!("did you mean `{near}`?");
    }
    if known.is_empty() {
        return format!("there are no {what}");
    }
    let mut shown: Vec<&str> = known.iter().map(String::as_str).take(LISTED_MAX).collect();
    if known.len() > LISTED_MAX {
        shown.push("…");
    }
    format!("there are: {}", shown.join(", "))
}

/// Returns the name that is at most a typing mistake away.
pub(crate) fn nearest<'k>(name: &str, known: &'k [String]) -> Option<&'k String> {
    let lower = name.to_lowercase();
    known
        .iter()
        .map(|known| (strsim::osa_distance(&lower, &known.to_lowercase()), known))
        .filter(|(distance, known)| *distance <= 1 + known.chars().count() / 4)
        .min()
        .map(|(_, known)| known)
}

/// Whether `name` fits a pattern in which `*` stands for any text.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_typing_mistake_is_seen() {
        let known = names(&["flights-in", "flights-out", "weather"]);
        for (typed, expected) in [
            ("flights-ni", "did you mean `flights-in`?"),
            ("Wheather", "did you mean `weather`?"),
            ("x", "there are: flights-in, flights-out, weather"),
        ] {
            assert_eq!(meant(typed, &known, "connectors"), expected);
        }
        assert_eq!(meant("x", &[], "topics"), "there are no topics");
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "abc", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*c", "acb", false),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
