//! Who may do what: three roles, each with all that the one below it may, and the caller of a request.
//!
//! Which role an action needs stands with its route ([`crate::routes`]); who the caller is, whoever accepted the request says by
//! putting a [`Caller`] among its extensions. A request without one comes from the data directory's socket, or from a host
//! without users: it may do everything.

use axum::http::Extensions;
use serde::Serialize;

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees states, figures and configurations; no keys and values of records.
    Viewer,
    /// Sees records too, writes and replays them; pauses, restarts and moves connectors.
    Operator,
    /// Makes, changes and deletes connectors and topics; the host's configuration.
    Admin,
}

impl Role {
    /// The word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// Who sent a request; an extension of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Caller {
    /// The name.
    pub user: String,
    /// What they may do.
    pub role: Role,
    /// Whether the host knows users at all.
    pub auth: bool,
}

impl Caller {
    /// Who asks, where nobody else is known.
    #[must_use]
    pub fn local() -> Self {
        Self {
            user: "local".to_owned(),
            role: Role::Admin,
            auth: false,
        }
    }

    /// The caller of a request.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Self {
        extensions.get().cloned().unwrap_or_else(Self::local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_what_the_one_below_it_may() {
        assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
        assert_eq!(Caller::of(&Extensions::new()), Caller::local());
        let mut extensions = Extensions::new();
        let anna = Caller {
            user: "anna".to_owned(),
            role: Role::Viewer,
            auth: true,
        };
        extensions.insert(anna.clone());
        assert_eq!(Caller::of(&extensions), anna);
    }
}
