//! Newtypes for numbers and strings that must not be mixed up.

use std::fmt;
use std::sync::Arc;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl From<$inner> for $name {
            fn from(value: $inner) -> Self {
                Self(value)
            }
        }
    };
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps a name; any text is allowed.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// Returns the text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::new(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

number! {
    /// The number of a partition inside its topic, from 0.
    PartitionId(i32)
}

number! {
    /// The position of a record inside its partition.
    ///
    /// Offsets grow and may have gaps; names say whether one is the last (inclusive) or the next (exclusive).
    Offset(i64)
}

impl Offset {
    /// The offset of the first record of a partition.
    pub const ZERO: Self = Self(0);
}

number! {
    /// Counts the unclean starts of a log: two batches at one offset with different leader epochs are different history.
    LeaderEpoch(i32)
}

number! {
    /// Counts the generations of an owner (a connector): work of an older generation is refused.
    FenceEpoch(u64)
}

text! {
    /// The name of a consumer group.
    GroupId
}

text! {
    /// The name of whoever writes: usually a connector. Its producers share one fence epoch.
    OwnerId
}
