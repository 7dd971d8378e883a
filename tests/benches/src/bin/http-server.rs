//! The small server of the tests, to look around by hand: APIs in the shape of GitHub's, Stripe's and Shopify's, events, and an endpoint.
//!
//! ```text
//! http-server [ADDRESS] [EVENTS]      127.0.0.1:8090, 100 events
//! ```

#![expect(
    clippy::print_stdout,
    reason = "what was received is the program's output"
)]

#[path = "../../../http/server.rs"]
#[expect(
    clippy::allow_attributes,
    reason = "the tests use more of the module than this program"
)]
#[allow(dead_code, reason = "as above")]
mod server;

use std::thread;
use std::time::Duration;

use anyhow::Result;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:8090".to_owned());
    let events = args.next().map_or(Ok(100), |text| text.parse())?;
    let (at, memory) = server::serve(&address, events)?;
    println!("listening on http://{at}; what arrives at /in is printed here");
    let mut shown = 0;
    loop {
        for one in memory.received().into_iter().skip(shown) {
            println!("{}  {}", one.key, one.body);
            shown += 1;
        }
        thread::sleep(Duration::from_millis(200));
    }
}
