//! A small server with APIs in the shape of GitHub's, Stripe's and Shopify's, a list of events, and an endpoint that remembers.
//!
//! ```text
//! GET  /github/repos/o/r/issues?per_page=&page=        `Link` headers
//! GET  /stripe/v1/charges?limit=&starting_after=       `has_more`, needs a bearer token
//! GET  /shopify/orders.json?limit=&page_info=          a token in the `Link` header, needs `X-Shopify-Access-Token`
//! GET  /events?since=&page=&size=                      ids from `since` on, in pages
//! POST /in/…                                           remembers `Idempotency-Key` and body
//! any  /echo/STATUS/…                                  answers with that status and repeats the whole request
//! POST /token                                          an access token
//! ```
//! To look around by hand: `cargo run -p linkspan-benches --bin http-server -- 127.0.0.1:8090`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Records of the lists.
const LISTED: u64 = 7;
/// What `/token` hands out.
pub(crate) const ACCESS_TOKEN: &str = "canary-access-token-9d1f";
/// The longest body that is taken.
const BODY_MAX: usize = 16 << 20;

/// What the endpoint was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) key: String,
    pub(crate) body: String,
}

/// What the server remembers, shared with whoever looks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    received: Vec<Received>,
    pages: u64,
    events: u64,
}

impl Memory {
    /// Returns what the endpoint was sent so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.kept().received.clone()
    }

    /// Returns how often the endpoint was called.
    pub(crate) fn count(&self) -> u64 {
        u64::try_from(self.kept().received.len()).unwrap_or(u64::MAX)
    }

    /// Returns how many pages of events were served.
    pub(crate) fn pages(&self) -> u64 {
        self.kept().pages
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves on an address until the process ends; returns the address with its port.
pub(crate) fn serve(at: &str, events: u64) -> std::io::Result<(SocketAddr, Memory)> {
    let listener = TcpListener::bind(at)?;
    let address = listener.local_addr()?;
    let memory = Memory::default();
    memory.kept().events = events;
    let shared = memory.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let memory = shared.clone();
            // A caller that breaks off ends its own thread only.
            thread::spawn(move || talk(stream, &memory).is_ok());
        }
    });
    Ok((address, memory))
}

struct Request {
    /// Request line and headers as they came.
    head: String,
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

struct Answer {
    status: &'static str,
    link: Option<String>,
    body: String,
}

fn talk(stream: TcpStream, memory: &Memory) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    while let Some(request) = read(&mut reader)? {
        let answer = answer(&request, memory);
        let link = answer
            .link
            .map_or_else(String::new, |link| format!("link: {link}\r\n"));
        let head = format!(
            "HTTP/1.1 {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{link}\r\n",
            answer.status,
            answer.body.len()
        );
        writer.write_all(format!("{head}{}", answer.body).as_bytes())?;
    }
    Ok(())
}

fn read(reader: &mut impl BufRead) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let mut headers = BTreeMap::new();
    let mut head = line.clone();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        head.push_str(&line);
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length: usize = headers
        .get("content-length")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length.min(BODY_MAX)];
    reader.read_exact(&mut body)?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let query = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Ok(Some(Request {
        head,
        method,
        path: path.to_owned(),
        query,
        headers,
        body,
    }))
}

fn answer(request: &Request, memory: &Memory) -> Answer {
    let plain = |status, body: &str| Answer {
        status,
        link: None,
        body: body.to_owned(),
    };
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/github/repos/o/r/issues") => github(request),
        ("GET", "/stripe/v1/charges") if request.header("authorization") == "Bearer sk_test_1" => {
            stripe(request)
        }
        ("GET", "/stripe/v1/charges") => plain(
            "401 Unauthorized",
            "{\"error\":{\"message\":\"invalid API key\"}}",
        ),
        ("GET", "/shopify/orders.json")
            if request.header("x-shopify-access-token") == "shpat_1" =>
        {
            shopify(request)
        }
        ("GET", "/shopify/orders.json") => {
            plain("401 Unauthorized", "{\"errors\":\"invalid access token\"}")
        }
        ("GET", "/events") => events(request, memory),
        ("POST", "/token") => plain(
            "200 OK",
            &format!("{{\"access_token\":\"{ACCESS_TOKEN}\"}}"),
        ),
        (_, path) if path.starts_with("/echo/") => Answer {
            status: match path.split('/').nth(2) {
                Some("400") => "400 Bad Request",
                Some("401") => "401 Unauthorized",
                _ => "500 Internal Server Error",
            },
            link: None,
            body: format!("{}{}", request.head, String::from_utf8_lossy(&request.body)),
        },
        ("POST" | "PUT" | "DELETE", path) if path.starts_with("/in") => {
            let body = String::from_utf8_lossy(&request.body).into_owned();
            memory.kept().received.push(Received {
                key: request.header("idempotency-key").to_owned(),
                body,
            });
            plain("200 OK", "{}")
        }
        _ => plain("404 Not Found", "{\"message\":\"Not Found\"}"),
    }
}

impl Request {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.query.get(name)?.parse().ok()
    }
}

fn list(range: std::ops::Range<u64>, item: impl Fn(u64) -> String) -> String {
    let items: Vec<String> = range.map(item).collect();
    format!("[{}]", items.join(","))
}

fn github(request: &Request) -> Answer {
    let (size, page) = (
        request.number("per_page").unwrap_or(3).max(1),
        request.number("page").unwrap_or(1).max(1),
    );
    let from = (page - 1) * size;
    let last = LISTED.div_ceil(size);
    let url = |page: u64, relation: &str| {
        format!(
            "<http://{}{}?per_page={size}&page={page}>; rel=\"{relation}\"",
            request.header("host"),
            request.path
        )
    };
    let link = if page < last {
        Some(format!("{}, {}", url(page + 1, "next"), url(last, "last")))
    } else {
        Some(url(1, "first"))
    };
    let item = |id: u64| {
        format!(
            "{{\"id\":{id},\"title\":\"issue {id}\",\"updated_at\":\"2024-01-0{}T00:00:00Z\"}}",
            id + 1
        )
    };
    Answer {
        status: "200 OK",
        link,
        body: list(from.min(LISTED)..(from + size).min(LISTED), item),
    }
}

fn stripe(request: &Request) -> Answer {
    let size = request.number("limit").unwrap_or(3).max(1);
    let from = request
        .query
        .get("starting_after")
        .and_then(|id| id.strip_prefix("ch_")?.parse::<u64>().ok())
        .map_or(0, |id| id + 1);
    let to = (from + size).min(LISTED);
    let data = list(from.min(to)..to, |id| {
        format!(
            "{{\"id\":\"ch_{id}\",\"object\":\"charge\",\"amount\":{}}}",
            id * 100
        )
    });
    Answer {
        status: "200 OK",
        link: None,
        body: format!(
            "{{\"object\":\"list\",\"data\":{data},\"has_more\":{}}}",
            to < LISTED
        ),
    }
}

fn shopify(request: &Request) -> Answer {
    let size = request.number("limit").unwrap_or(3).max(1);
    let from = request
        .query
        .get("page_info")
        .and_then(|token| token.strip_prefix("tok")?.parse::<u64>().ok())
        .unwrap_or(0);
    let to = (from + size).min(LISTED);
    let link = (to < LISTED).then(|| {
        format!(
            "<http://{}{}?limit={size}&page_info=tok{to}>; rel=\"next\"",
            request.header("host"),
            request.path
        )
    });
    let orders = list(from.min(to)..to, |id| {
        format!("{{\"id\":{id},\"total_price\":\"{id}.50\"}}")
    });
    Answer {
        status: "200 OK",
        link,
        body: format!("{{\"orders\":{orders}}}"),
    }
}

fn events(request: &Request, memory: &Memory) -> Answer {
    let (since, page, size) = (
        request.number("since").unwrap_or(0),
        request.number("page").unwrap_or(1).max(1),
        request.number("size").unwrap_or(10).max(1),
    );
    let mut kept = memory.kept();
    kept.pages += 1;
    let from = since + (page - 1) * size;
    let body = list(
        from.min(kept.events)..(from + size).min(kept.events),
        |id| format!("{{\"id\":{id},\"text\":\"event {id}\"}}"),
    );
    Answer {
        status: "200 OK",
        link: None,
        body,
    }
}
