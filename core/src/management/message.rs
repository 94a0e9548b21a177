//! Messages and enums of the API: structs whose fields may all be absent and which keep what they do not know, so that a
//! newer service neither breaks an older client nor loses what it said.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A message of the API.
pub trait Message: Serialize + DeserializeOwned + Send + 'static {}

/// What an operation or a call ends with.
pub trait Outcome: Sized + Send + 'static {
    /// Whether there is nothing to read, so that an operation may end without a response.
    const NOTHING: bool;

    /// Reads it.
    fn of(body: serde_json::Value) -> Result<Self, serde_json::Error>;
}

impl<T: Message> Outcome for T {
    const NOTHING: bool = false;

    fn of(body: serde_json::Value) -> Result<T, serde_json::Error> {
        serde_json::from_value(body)
    }
}

/// Deletions have nothing to say.
impl Outcome for () {
    const NOTHING: bool = true;

    fn of(_: serde_json::Value) -> Result<(), serde_json::Error> {
        Ok(())
    }
}

macro_rules! message {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        pub struct $name {
            $(
                $(#[$about])*
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $field: Option<$kind>,
            )*
            /// Fields that this version does not know.
            #[serde(flatten)]
            pub extra: Object,
        }

        impl crate::management::Message for $name {}
    };
}

macro_rules! open_enum {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $value:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $(#[doc = concat!("`", $value, "`")] $variant,)*
            /// A value that this version does not know, as it came.
            Other(String),
        }

        impl $name {
            /// The value on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $value,)*
                    Self::Other(value) => value,
                }
            }
        }

        impl From<&str> for $name {
            fn from(value: &str) -> Self {
                match value {
                    $($value => Self::$variant,)*
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let value = <String as serde::Deserialize>::deserialize(from)?;
                Ok(Self::from(value.as_str()))
            }
        }
    };
}

pub(crate) use {message, open_enum};
