//! `webhook-source`: a listener whose callers hear 2xx only when their record is durable.
//!
//! ```text
//! connection ─► admit (path, method, rate, in flight) ─► body ─► authenticate ─► split ─► queue
//!                                                                                          │ poll: drain, drop repeats
//! caller ◄── 2xx ◄── acker ◄── durable(seq) ◄── host: one commit for all that waited ◄─────┘
//! ```
//! All callers that wait at the time of a poll share its batch, and so one group commit of the log.

mod acker;
mod authenticate;
mod body;
mod listener;
mod options;
mod repeats;
mod service;
mod signature;
mod source;

#[cfg(test)]
pub(crate) use options::WebhookOptions;
pub(crate) use source::Webhook;
