//! The front door: users and roles, TLS, SIGHUP, the audit trail, slow clients, secrets in requests. Judged with curl and with our own
//! command line, on the real program.

mod access;
mod canaries;
mod hangup;
mod host;
mod slow;
mod tls;
