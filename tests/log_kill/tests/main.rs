//! The local log as a process that dies, and as a process whose system calls fail.
//!
//! | module | fault | negative control |
//! |---|---|---|
//! | `kill` | SIGKILL at random moments, recovery too | acknowledged before it was written |
//! | `calls` | strace: EIO, ENOSPC, EMFILE, SIGKILL at the Nth call | an ignored sync: acknowledged before it was written |
//! | `power` | a file system that forgets what was not synced | `durability: os` |
//! | `limits` | full disk, few descriptors, two processes, a jumping clock | each names its own |
//!
//! Settings: `LOG_KILL_ROUNDS`, `LOG_CALL_POINTS`, `LOG_POWER_CYCLES`, `LOG_KILL_SEED`; the long run is written in README.md.

#[cfg(test)]
mod calls;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod power;
#[cfg(test)]
mod support;
