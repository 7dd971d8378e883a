//! The socket in the data directory: the host serves HTTP on it, the other commands connect to it (see `client`).

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use axum::Router;
use tokio::net::{UnixListener, UnixStream};

use crate::exit::{Exit, Failure};

/// Name of the socket in a data directory.
const SOCKET: &str = "linkspan.sock";
/// Longest path that fits a socket address with room to spare; the system's limit is 108 bytes.
const SOCKET_PATH_BYTES_MAX: usize = 100;

/// A path that fits a socket address: the real one, or one through an open folder for deep directories.
struct SocketPath {
    path: PathBuf,
    /// Keeps the folder open while `path` goes through its descriptor.
    _folder: Option<File>,
}

fn socket_path(data: &Path) -> std::io::Result<SocketPath> {
    let path = data.join(SOCKET);
    if path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX {
        return Ok(SocketPath {
            path,
            _folder: None,
        });
    }
    let folder = File::open(data)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd()));
    Ok(SocketPath {
        path,
        _folder: Some(folder),
    })
}

/// Serves the router on the socket of `data`. The caller holds the directory's lock, so an old socket file is stale.
pub(crate) fn serve(
    runtime: &tokio::runtime::Runtime,
    data: &Path,
    router: Router,
) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(
            Exit::Environment,
            "LS0705",
            format!(
                "could not listen on `{}`: {error}",
                data.join(SOCKET).display()
            ),
        )
    };
    let at = socket_path(data).map_err(failed)?;
    match std::fs::remove_file(&at.path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let guard = runtime.enter();
    let listener = UnixListener::bind(&at.path).map_err(failed)?;
    drop(guard);
    // The directory is 0700 already; this keeps the socket private where its mode counts on its own.
    std::fs::set_permissions(
        &at.path,
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .map_err(failed)?;
    runtime.spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the socket of the data directory is closed");
        }
    });
    Ok(())
}

/// Removes the socket of a host that stops.
pub(crate) fn remove(data: &Path) {
    // A socket that stays behind means nothing: the lock decides.
    drop(std::fs::remove_file(data.join(SOCKET)));
}

/// Connects to the running host of `data`.
pub(crate) async fn connect(data: &Path) -> std::io::Result<UnixStream> {
    UnixStream::connect(&socket_path(data)?.path).await
}
