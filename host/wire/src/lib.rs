//! Record batch v2 codec: bytes in, bytes out.
