//! One error: which of Connect's exceptions it stands for, where in the value, and what is wrong.
//!
//! Messages name fields, types and options, never a record's values: they end up in logs and in headers of dead letters.

use std::fmt;

/// The exception of Kafka Connect that an error stands for. It decides nothing but the name in a dead letter's headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The data does not fit: the usual one.
    Data,
    /// A schema contradicts itself.
    SchemaBuilder,
    /// A value cannot be projected to another schema.
    SchemaProjector,
    /// Bytes cannot be read or written.
    Serialization,
    /// An option's value is wrong.
    Config,
    /// A number's text is none.
    NumberFormat,
    /// An argument makes no sense.
    IllegalArgument,
    /// A call that the state forbids.
    IllegalState,
    /// An index is outside of its range.
    IndexOutOfBounds,
    /// Something is missing that Java would trip over.
    NullPointer,
    /// Any other failure of Connect.
    Connect,
}

impl Class {
    /// Returns the name of the Java class.
    #[must_use]
    pub const fn java(self) -> &'static str {
        match self {
            Self::Data => "org.apache.kafka.connect.errors.DataException",
            Self::SchemaBuilder => "org.apache.kafka.connect.errors.SchemaBuilderException",
            Self::SchemaProjector => "org.apache.kafka.connect.errors.SchemaProjectorException",
            Self::Serialization => "org.apache.kafka.common.errors.SerializationException",
            Self::Config => "org.apache.kafka.common.config.ConfigException",
            Self::NumberFormat => "java.lang.NumberFormatException",
            Self::IllegalArgument => "java.lang.IllegalArgumentException",
            Self::IllegalState => "java.lang.IllegalStateException",
            Self::IndexOutOfBounds => "java.lang.IndexOutOfBoundsException",
            Self::NullPointer => "java.lang.NullPointerException",
            Self::Connect => "org.apache.kafka.connect.errors.ConnectException",
        }
    }

    /// Returns the Java class without its package.
    #[must_use]
    pub fn simple_name(self) -> &'static str {
        self.java().rsplit('.').next().unwrap_or_default()
    }
}

/// What Connect lets pass with damaged data and this crate refuses. The list is complete: whatever else is refused,
/// Connect refuses too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    /// A JSON value of the wrong type, which Connect reads as zero, false, empty or null.
    JsonType,
    /// A number that does not fit the integer type, of which Connect keeps the low bits; or NaN as 0.
    IntegerRange,
    /// Text after a finished token, which Connect drops.
    TextAfterToken,
    /// A required field that is missing.
    MissingField,
}

impl Refusal {
    /// Returns what Connect does, and why it is not done here.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::JsonType => {
                "a JSON value of the wrong type is read as zero, false, empty or null"
            }
            Self::IntegerRange => {
                "a number outside of its integer type wraps around, NaN becomes 0"
            }
            Self::TextAfterToken => "text after a finished token is dropped",
            Self::MissingField => "a missing required field passes",
        }
    }
}

/// Why a value, a schema or an option was refused.
///
/// One pointer: results that carry it are cheap to hand up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    class: Class,
    /// From the inside out.
    path: Vec<Step>,
    message: String,
    refusal: Option<Refusal>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    Item(usize),
    MapKey,
    MapValue,
}

impl Error {
    /// Returns an error of a class; the message is a lower-case fragment without values of records.
    #[cold]
    #[must_use]
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            class,
            path: Vec::new(),
            message: message.into(),
            refusal: None,
        }))
    }

    /// Returns an error about data.
    #[cold]
    #[must_use]
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(Class::Data, message)
    }

    /// Returns an error about an option.
    #[cold]
    #[must_use]
    pub fn config(option: &str, message: impl fmt::Display) -> Self {
        Self::new(Class::Config, format!("option `{option}`: {message}"))
    }

    /// Puts a field in front of the place, while the error travels outwards.
    #[cold]
    #[must_use]
    pub fn in_field(mut self, name: &str) -> Self {
        self.0.path.push(Step::Field(name.to_owned()));
        self
    }

    /// Puts an item of an array in front of the place.
    #[cold]
    #[must_use]
    pub fn in_item(mut self, index: usize) -> Self {
        self.0.path.push(Step::Item(index));
        self
    }

    /// Puts "a key of the map" in front of the place; the key itself is data and is not named.
    #[cold]
    #[must_use]
    pub fn in_map_key(mut self) -> Self {
        self.0.path.push(Step::MapKey);
        self
    }

    /// Puts "a value of the map" in front of the place.
    #[cold]
    #[must_use]
    pub fn in_map_value(mut self) -> Self {
        self.0.path.push(Step::MapValue);
        self
    }

    /// Returns the same error as another class.
    #[must_use]
    pub fn with_class(mut self, class: Class) -> Self {
        self.0.class = class;
        self
    }

    /// Returns an error about data that Connect lets pass.
    #[cold]
    #[must_use]
    pub fn refused(refusal: Refusal, message: impl Into<String>) -> Self {
        let mut error = Self::data(message);
        error.0.refusal = Some(refusal);
        error
    }

    /// Returns the reason for which this is refused although Connect lets it pass, `None` where Connect fails too.
    #[must_use]
    pub const fn refusal(&self) -> Option<Refusal> {
        self.0.refusal
    }

    /// Returns the exception it stands for.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.0.class
    }

    /// Returns what is wrong, without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the place such as `address.lines[3]`, empty at the top.
    #[must_use]
    pub fn place(&self) -> String {
        let mut place = String::new();
        for step in self.0.path.iter().rev() {
            match step {
                Step::Field(name) => {
                    if !place.is_empty() {
                        place.push('.');
                    }
                    place.push_str(name);
                }
                Step::Item(index) => place.push_str(&format!("[{index}]")),
                Step::MapKey => place.push_str("{key}"),
                Step::MapValue => place.push_str("{value}"),
            }
        }
        place
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.path.is_empty() {
            write!(f, "field `{}`: ", self.place())?;
        }
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}
