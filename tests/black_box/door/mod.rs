//! The front door: users and roles, TLS, the audit trail, slow clients, secrets in requests. Judged with curl and with our own
//! command line, on the real program.

mod access;
mod canaries;
mod host;
mod slow;
mod tls;
