//! The host's HTTP face: Kafka Connect's REST interface and `/api/v1` on a listener, `/api/v1` on the data directory's socket.
//!
//! Here: the routers, the listener, the JSON shapes, and the reading of records for people ([`RecordReader`]), which a stopped data
//! directory is read with as well. Not here: the log itself, connectors and their life cycle.

mod about;
mod api;
mod audit;
mod auth;
mod browse;
pub mod connect;
mod connectors;
mod dead_letters;
mod fleet;
mod front;
mod groups;
mod guard;
mod jobs;
pub mod listen;
mod members;
mod metrics;
mod openapi;
mod operation;
mod produce;
mod records;
mod refusal;
mod role;
mod routes;
mod start;
mod tls;
mod topics;
mod ui;
mod view;
mod workbench;

pub use crate::api::{refuse, router};
pub use crate::audit::{Audit, audited};
pub use crate::auth::{
    Access, NewPassword, NewToken, RandomError, Token, User, Verifier, VerifierError,
};
pub use crate::connectors::ConnectorCommand;
pub use crate::dead_letters::Letters;
pub use crate::fleet::{Fleet, Look, Task as TaskLook};
pub use crate::front::Front;
pub use crate::groups::Reset;
pub use crate::guard::Names;
pub use crate::jobs::JobEvents;
pub use crate::members::{Assigned, Join, Member, Polled};
pub use crate::operation::{Operation, segment as path_segment};
pub use crate::produce::NewRecord;
pub use crate::records::{ReadError, RecordReader, RecordView, ViewValue, decode};
pub use crate::refusal::Refusal;
pub use crate::role::{Caller, Role};
pub use crate::start::{From, FromError};
pub use crate::tls::{Tls, TlsError};
pub use crate::topics::{DeleteRecords, NewTopic, TopicChange};
pub use crate::view::{HostView, Steps, WantedLines};
