//! A client of a Confluent-compatible schema registry, for threads that may wait.
//!
//! ```text
//! converter on a task's thread ── question ──► one thread with reqwest ──► registry
//!                              ◄── answer ───
//! ```
//! It knows ids, subjects, versions and references; it does not know what a schema says (see `linkspan-convert`), and it
//! keeps nothing: what was asked once is the caller's to remember.
//!
//! A crate of its own because of reqwest and TLS, which nobody else in the host needs.

mod answers;
mod error;
mod http;

use std::sync::Arc;
use std::time::Duration;

pub use error::{Error, Reason};

use crate::answers::{Registered, SchemaAnswer, VersionAnswer};
use crate::http::Http;

/// The most schemas that one schema may refer to, directly and through others.
const REFERENCES_MAX: usize = 1_000;

/// Where the registry is and who asks.
#[derive(Clone, Default)]
pub struct Options {
    /// Addresses, tried in turn; user and password may stand in them.
    pub urls: Vec<String>,
    /// `user:password`.
    pub user_info: Option<String>,
    /// A token.
    pub token: Option<String>,
    /// More authorities that may vouch for the registry, a PEM file.
    pub ca_location: Option<String>,
    /// How long one request may take.
    pub timeout: Duration,
}

/// Shows no secret.
impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// A schema as the registry has it, with the texts of all schemas that it refers to, those first that others need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The id.
    pub id: i32,
    /// The version under its subject, where that is known.
    pub version: Option<i32>,
    /// `AVRO`, `JSON` or `PROTOBUF`.
    pub schema_type: String,
    /// The text.
    pub schema: String,
    /// Names and texts of what it refers to.
    pub references: Vec<(String, String)>,
}

/// A schema as it is registered.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// `AVRO`, `JSON` or `PROTOBUF`.
    pub schema_type: &'a str,
    /// The text.
    pub schema: &'a str,
}

/// The registry. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Registry(Arc<Http>);

impl Registry {
    /// Prepares a client; nothing is asked yet.
    ///
    /// # Errors
    /// An address that is none, a PEM file that cannot be read.
    pub fn new(options: &Options) -> Result<Self, Error> {
        Ok(Self(Arc::new(Http::new(options)?)))
    }

    /// Returns the addresses, without user and password.
    #[must_use]
    pub fn place(&self) -> String {
        self.0.place()
    }

    /// Returns the schema with an id.
    ///
    /// # Errors
    /// The registry does not know it, or cannot be asked.
    pub fn by_id(&self, id: i32) -> Result<Found, Error> {
        let doing = format!("fetch the schema with id {id}");
        let answer: SchemaAnswer = self.0.get(&["schemas", "ids", &id.to_string()], &doing)?;
        self.with_references(answer, id, None)
    }

    /// Returns the latest schema of a subject.
    ///
    /// # Errors
    /// The registry does not know the subject, or cannot be asked.
    pub fn latest(&self, subject: &str) -> Result<Found, Error> {
        let doing = format!("fetch the latest schema of subject `{subject}`");
        let answer: VersionAnswer = self
            .0
            .get(&["subjects", subject, "versions", "latest"], &doing)?;
        let (id, version) = (answer.id, answer.version);
        self.with_references(answer.into_schema(), id, Some(version))
    }

    /// Registers a schema under a subject, where it is not there yet, and returns its id.
    ///
    /// # Errors
    /// The registry refuses it, for example because it is not compatible ([`Reason::Incompatible`]), or cannot be asked.
    pub fn register(&self, subject: &str, schema: Text<'_>) -> Result<i32, Error> {
        let doing = format!("register a schema under subject `{subject}`");
        let answer: Registered = self
            .0
            .post(&["subjects", subject, "versions"], schema, &doing)?;
        Ok(answer.id)
    }

    /// Returns the id of a schema that is registered under a subject.
    ///
    /// # Errors
    /// It is not registered there ([`Reason::NotFound`]), or the registry cannot be asked.
    pub fn lookup(&self, subject: &str, schema: Text<'_>) -> Result<i32, Error> {
        let doing = format!("look a schema up under subject `{subject}`");
        let answer: Registered = self.0.post(&["subjects", subject], schema, &doing)?;
        Ok(answer.id)
    }

    fn with_references(
        &self,
        answer: SchemaAnswer,
        id: i32,
        version: Option<i32>,
    ) -> Result<Found, Error> {
        let mut references = References {
            http: &self.0,
            seen: Vec::new(),
            texts: Vec::new(),
        };
        references.follow(&answer)?;
        Ok(Found {
            id,
            version,
            schema_type: answer.schema_type.unwrap_or_else(|| "AVRO".to_owned()),
            schema: answer.schema,
            references: references.texts,
        })
    }
}

/// Follows references, each once, depth first.
struct References<'a> {
    http: &'a Http,
    seen: Vec<(String, i32)>,
    texts: Vec<(String, String)>,
}

impl References<'_> {
    fn follow(&mut self, answer: &SchemaAnswer) -> Result<(), Error> {
        for reference in answer.references.iter().flatten() {
            let at = (reference.subject.clone(), reference.version);
            if self.seen.contains(&at) {
                continue;
            }
            if self.seen.len() >= REFERENCES_MAX {
                return Err(Error::answer(
                    &self.http.place(),
                    "follow references",
                    "there are more than 1000",
                ));
            }
            self.seen.push(at);
            let doing = format!(
                "fetch version {} of subject `{}`, which a schema refers to",
                reference.version, reference.subject
            );
            let path = [
                "subjects",
                &reference.subject,
                "versions",
                &reference.version.to_string(),
            ];
            let referred: VersionAnswer = self.http.get(&path, &doing)?;
            let referred = referred.into_schema();
            self.follow(&referred)?;
            self.texts.push((reference.name.clone(), referred.schema));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
