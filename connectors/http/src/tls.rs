//! TLS: which cryptography this plugin uses.

use std::sync::Once;

/// Makes ring this library's cryptography; more than one call does nothing.
pub(crate) fn use_ring() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Fails only where a provider is installed already, and then that one is used.
        let _installed = rustls::crypto::ring::default_provider()
            .install_default()
            .is_ok();
    });
}
