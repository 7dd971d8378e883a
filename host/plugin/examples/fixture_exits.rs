//! A library with the plugin's symbol whose constructor ends the process, for the tests.

#![expect(unsafe_code, reason = "a constructor is what this library is about")]

use linkspan_abi::Plugin_Ref;

extern "C" fn exits() {
    // SAFETY: ends the process at once, as a hostile constructor would.
    unsafe { libc::_exit(77) }
}

#[used]
// SAFETY: the loader calls the functions of this section, and `exits` is one.
#[unsafe(link_section = ".init_array")]
static EXITS: extern "C" fn() = exits;

#[expect(
    clippy::panic,
    reason = "nobody comes here: the constructor has ended the process"
)]
fn make() -> Plugin_Ref {
    panic!("the constructor did not end the process")
}

linkspan_abi::export_root!(make);
