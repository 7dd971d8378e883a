//! Which resource a path names, and what methods it has.

use axum::http::Method;

use crate::refusal::Refusal;
use crate::role::Role;

/// A resource with the names its path holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    Root,
    Health,
    Connectors,
    Connector(String),
    Config(String),
    Status(String),
    Tasks(String),
    TaskStatus(String, i32),
    TaskRestart(String, i32),
    Restart(String),
    Pause(String),
    Resume(String),
    Stop(String),
    Fence(String),
    Offsets(String),
    Topics(String),
    TopicsReset(String),
    Plugins,
    PluginConfig(String),
    Validate(String),
    Loggers,
    Logger(String),
}

const GET: &[Method] = &[Method::GET];
const PUT: &[Method] = &[Method::PUT];
const POST: &[Method] = &[Method::POST];

/// Returns the resource and its methods, without HEAD and OPTIONS. The inner error is that of a parameter in the path,
/// which counts only once method and types are right.
pub(super) fn find(segments: &[String]) -> Option<(Result<Route, Refusal>, &'static [Method])> {
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let own = |name: &str| name.to_owned();
    let task = |name: &str, number: &str, route: fn(String, i32) -> Route| {
        java_int(number)
            .map(|number| route(name.to_owned(), number))
            .ok_or_else(|| Refusal::new(404, "LS0601", "HTTP 404 Not Found"))
    };
    Some(match segments.as_slice() {
        [] => (Ok(Route::Root), GET),
        ["health"] => (Ok(Route::Health), GET),
        ["connectors"] => (Ok(Route::Connectors), &[Method::POST, Method::GET]),
        ["connectors", name] => (
            Ok(Route::Connector(own(name))),
            &[Method::DELETE, Method::GET],
        ),
        ["connectors", name, "config"] => (
            Ok(Route::Config(own(name))),
            &[Method::GET, Method::PUT, Method::PATCH],
        ),
        ["connectors", name, "status"] => (Ok(Route::Status(own(name))), GET),
        // POST is Connect's own, between workers.
        ["connectors", name, "tasks"] => {
            (Ok(Route::Tasks(own(name))), &[Method::GET, Method::POST])
        }
        ["connectors", name, "tasks", number, "status"] => {
            (task(name, number, Route::TaskStatus), GET)
        }
        ["connectors", name, "tasks", number, "restart"] => {
            (task(name, number, Route::TaskRestart), POST)
        }
        ["connectors", name, "restart"] => (Ok(Route::Restart(own(name))), POST),
        ["connectors", name, "pause"] => (Ok(Route::Pause(own(name))), PUT),
        ["connectors", name, "resume"] => (Ok(Route::Resume(own(name))), PUT),
        ["connectors", name, "stop"] => (Ok(Route::Stop(own(name))), PUT),
        ["connectors", name, "fence"] => (Ok(Route::Fence(own(name))), PUT),
        ["connectors", name, "offsets"] => (
            Ok(Route::Offsets(own(name))),
            &[Method::DELETE, Method::GET, Method::PATCH],
        ),
        ["connectors", name, "topics"] => (Ok(Route::Topics(own(name))), GET),
        ["connectors", name, "topics", "reset"] => (Ok(Route::TopicsReset(own(name))), PUT),
        ["connector-plugins"] => (Ok(Route::Plugins), GET),
        ["connector-plugins", name, "config"] => (Ok(Route::PluginConfig(own(name))), GET),
        ["connector-plugins", name, "config", "validate"] => (Ok(Route::Validate(own(name))), PUT),
        ["admin", "loggers"] => (Ok(Route::Loggers), GET),
        ["admin", "loggers", name] => (Ok(Route::Logger(own(name))), &[Method::GET, Method::PUT]),
        _ => return None,
    })
}

/// The role that a request needs: what only looks is a viewer's, what moves a connector an operator's, what makes, changes or
/// deletes one an admin's. `None`: a probe.
pub(super) fn need(method: &Method, segments: &[&str]) -> Option<Role> {
    if segments == ["health"] {
        return None;
    }
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Some(Role::Viewer);
    }
    Some(match segments {
        [
            "connectors",
            _,
            "pause" | "resume" | "stop" | "restart" | "offsets",
        ]
        | ["connectors", _, "topics", "reset"]
        | ["connectors", _, "tasks", _, "restart"]
        | ["connector-plugins", _, "config", "validate"] => Role::Operator,
        _ => Role::Admin,
    })
}

/// Zeros of Unicode's decimal digits below U+10000: Java's `Integer.parseInt` takes the digits of every script.
const ZEROS: [u32; 37] = [
    0x30, 0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66,
    0xDE6, 0xE50, 0xED0, 0xF20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90,
    0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10,
];

fn java_int(text: &str) -> Option<i32> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() {
        return None;
    }
    let mut number = 0_i64;
    for character in digits.chars() {
        let code = u32::from(character);
        let zero = ZEROS
            .iter()
            .find(|zero| (**zero..**zero + 10).contains(&code))?;
        number = number
            .checked_mul(10)?
            .checked_add(i64::from(code - zero))?;
        if number > 1 << 31 {
            return None;
        }
    }
    i32::try_from(if negative { -number } else { number }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn task_numbers_are_java_ints() {
        for (text, expected) in [
            ("0", Some(0)),
            ("00", Some(0)),
            ("+0", Some(0)),
            ("-1", Some(-1)),
            ("٠", Some(0)),
            ("2147483647", Some(i32::MAX)),
            ("2147483648", None),
            ("99999999999", None),
            ("-2147483648", Some(i32::MIN)),
            ("0x0", None),
            ("1.0", None),
            (" ", None),
            ("0 ", None),
            ("", None),
            ("-", None),
            ("x", None),
        ] {
            assert_eq!(java_int(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_bad_task_number_counts_after_the_method() {
        let path = ["connectors", "c", "tasks", "x", "status"].map(str::to_owned);
        let (route, methods) = find(&path).unwrap();
        assert_eq!(methods, [Method::GET]);
        assert_eq!(route.unwrap_err().error_code, 404);
        assert!(find(&["connectors", "c", "nope"].map(str::to_owned)).is_none());
    }
}
