//! HTTP over the socket in the data directory: the host serves it, the other commands call it.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use axum::Router;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
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

/// Asks the running host of `data` for `path`.
pub(crate) async fn get(data: &Path, path: &str) -> Result<Response<Incoming>, Failure> {
    send(data, "GET", path, None).await
}

/// Hands something to the running host of `data`; the answer comes piece by piece.
pub(crate) async fn post_stream(
    data: &Path,
    path: &str,
    body: String,
) -> Result<Incoming, Failure> {
    Ok(send(data, "POST", path, Some(body)).await?.into_body())
}

/// Asks the running host of `data`, and reads a JSON answer.
pub(crate) async fn call(
    data: &Path,
    method: &str,
    path: &str,
    body: Option<String>,
) -> Result<serde_json::Value, Failure> {
    let answer = send(data, method, path, body).await?;
    let bytes = answer.into_body().collect().await.map_err(|error| {
        Failure::new(
            Exit::Environment,
            "LS0706",
            format!("the host stopped answering: {error}"),
        )
    })?;
    serde_json::from_slice(&bytes.to_bytes()).map_err(|error| {
        Failure::new(
            Exit::Runtime,
            "LS0601",
            format!("the host's answer is not JSON: {error}"),
        )
    })
}

async fn send(
    data: &Path,
    method: &str,
    path: &str,
    body: Option<String>,
) -> Result<Response<Incoming>, Failure> {
    let failed = |error: String| {
        Failure::new(
            Exit::Environment,
            "LS0706",
            format!(
                "the host that holds `{}` does not answer: {error}",
                data.display()
            ),
        )
        .help("it may be starting or stopping; try again, or see its output")
    };
    let at = socket_path(data).map_err(|error| failed(error.to_string()))?;
    let stream = UnixStream::connect(&at.path)
        .await
        .map_err(|error| failed(error.to_string()))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| failed(error.to_string()))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the connection to the host ended");
        }
    });
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .body(Full::new(Bytes::from(body.unwrap_or_default())))
        .map_err(|error| failed(error.to_string()))?;
    let response = sender
        .send_request(request)
        .await
        .map_err(|error| failed(error.to_string()))?;
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    let body = response
        .into_body()
        .collect()
        .await
        .map_err(|error| failed(error.to_string()))?
        .to_bytes();
    Err(refused(status.as_u16(), &body))
}

/// Turns the refusal of a host into a failure of the command.
fn refused(status: u16, body: &[u8]) -> Failure {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(serde_json::Value::as_str);
    let code = text("code").and_then(linkspan_config::codes::find);
    let message = text("message").map_or_else(|| format!("status {status}"), str::to_owned);
    let code = code.map_or("LS0601", |code| code.code);
    let failure = Failure::new(crate::target::exit_of(status, code), code, message);
    match text("help") {
        Some(help) => failure.help(help),
        None => failure,
    }
}

/// A small runtime for commands that only call.
pub(crate) fn client_runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::new(
                Exit::Environment,
                "LS0704",
                format!("could not start the async runtime: {error}"),
            )
        })
}
