//! All that C holds, behind handles that are checked. A handle looks like a pointer, so that a C compiler tells a client
//! from an error, but is a number that nobody ever follows.

use std::marker::PhantomData;

use lakekey_ffi::slab::{self, Held, Slab};
use lakekey_ffi::{CancelHandle, Code, FfiError, Result};

use crate::client::Client;
use crate::connect::Connect;
use crate::credential::Credential;
use crate::error::Failure;
use crate::log::Sink;
use crate::login::Explanation;
use crate::plan::Dialling;
use crate::provider::Answer;
use crate::secret::Text;
use crate::stats::Counted;

const _: () = assert!(usize::BITS >= u64::BITS, "a handle needs 64 bits");

static OBJECTS: Slab<Object> = Slab::new();

/// What a handle may be of.
pub(crate) enum Object {
    Client(Box<Client>),
    Credential(Credential),
    Connect(Box<Connect>),
    Cancel(CancelHandle),
    Secret(Text),
    Error(Box<Failure>),
    Answer(Answer),
    Sink(Sink),
    Plan(Box<Dialling>),
    Explanation(Box<Explanation>),
    Stats(Box<Counted>),
}

/// A thing that C holds by a handle of its own type.
pub(crate) trait Kind: Sized {
    /// The type that C sees.
    type Handle;
    /// Its name in messages.
    const NAME: &'static str;
    /// Its mark in handles.
    const MARK: slab::Kind;
    /// This kind's thing, if it is one.
    fn of(object: &Object) -> Option<&Self>;
}

macro_rules! kinds {
    ($($number:literal $handle:ident, $kind:ty, $variant:ident;)*) => {
        impl Object {
            fn mark(&self) -> slab::Kind {
                match self { $(Object::$variant(_) => slab::Kind::new($number),)* }
            }
        }

        $(
            impl Kind for $kind {
                type Handle = $handle;
                const NAME: &'static str = stringify!($handle);
                const MARK: slab::Kind = slab::Kind::new($number);

                fn of(object: &Object) -> Option<&$kind> {
                    match object {
                        Object::$variant(kind) => Some(kind),
                        _ => None,
                    }
                }
            }
        )*
    };
}

/// A client: who you are and which databases you reach. Its credentials are shared with the process's other clients that
/// are the same identity.
pub struct lk_client {
    _opaque: [u8; 0],
}

/// A database credential.
pub struct lk_credential {
    _opaque: [u8; 0],
}

/// Everything that a driver needs for one login.
pub struct lk_connect {
    _opaque: [u8; 0],
}

/// Ends the waits that were given it, from another thread.
pub struct lk_cancel {
    _opaque: [u8; 0],
}

/// A text that must not be seen, such as a token. Wiped from memory when it is freed.
pub struct lk_secret {
    _opaque: [u8; 0],
}

/// What went wrong.
pub struct lk_error {
    _opaque: [u8; 0],
}

/// Where a token callback puts its answer. Good until the callback returns.
pub struct lk_token_answer {
    _opaque: [u8; 0],
}

/// A connect under way.
pub struct lk_plan {
    _opaque: [u8; 0],
}

/// What an error means for a login.
pub struct lk_explanation {
    _opaque: [u8; 0],
}

/// What was counted in this process, and its last events.
pub struct lk_stats {
    _opaque: [u8; 0],
}

/// A log sink has no handle in C; it is replaced.
pub(crate) struct NoHandle;

kinds! {
    0 lk_client, Client, Client;
    1 lk_credential, Credential, Credential;
    2 lk_connect, Connect, Connect;
    3 lk_cancel, CancelHandle, Cancel;
    4 lk_secret, Text, Secret;
    5 lk_error, Failure, Error;
    6 lk_token_answer, Answer, Answer;
    7 NoHandle, Sink, Sink;
    8 lk_plan, Dialling, Plan;
    9 lk_explanation, Explanation, Explanation;
    10 lk_stats, Counted, Stats;
}

/// A thing in use.
pub(crate) struct Used<K> {
    held: Held<'static, Object>,
    kind: PhantomData<K>,
}

impl<K: Kind> std::ops::Deref for Used<K> {
    type Target = K;

    fn deref(&self) -> &K {
        // Its handle said so, and a handle says the same as what is behind it.
        match K::of(&self.held) {
            Some(thing) => thing,
            None => unreachable!("{} became something else", K::NAME),
        }
    }
}

/// Puts a thing where C can hold it.
pub(crate) fn put<H>(object: Object) -> Result<*mut H> {
    let placed = OBJECTS.insert_as(object.mark(), object);
    placed.map(pointer).map_err(|_| {
        FfiError::new(
            Code::Internal,
            "too many things of lakekey are held at once",
        )
        .with_hint("Free what lk_... functions give when it is not needed any more")
    })
}

/// The thing of a handle.
pub(crate) fn get<K: Kind>(name: &str, handle: *const K::Handle) -> Result<Used<K>> {
    let number = number(handle);
    if K::MARK.is_of(number)
        && let Some(held) = OBJECTS.get(number)
    {
        return Ok(Used {
            held,
            kind: PhantomData,
        });
    }
    Err(invalid::<K>(name, number))
}

/// Ends a handle. NULL is harmless.
pub(crate) fn free<K: Kind>(name: &str, handle: *mut K::Handle) -> Result<()> {
    let number = number(handle);
    if handle.is_null() || K::MARK.is_of(number) && OBJECTS.remove(number) {
        return Ok(());
    }
    Err(invalid::<K>(name, number))
}

#[cold]
fn invalid<K: Kind>(name: &str, number: u64) -> FfiError {
    let problem = if number == 0 {
        "is NULL"
    } else if !K::MARK.is_of(number) && OBJECTS.get(number).is_some() {
        "is a handle of another type"
    } else {
        "was freed, or never was one"
    };
    FfiError::new(
        Code::HandleInvalid,
        format!("argument `{name}`: the {} {problem}", K::NAME),
    )
}

/// A handle as a pointer that points nowhere.
pub(crate) fn pointer<H>(number: u64) -> *mut H {
    std::ptr::without_provenance_mut(usize::try_from(number).unwrap_or_default())
}

/// The handle behind such a pointer, or behind any other.
pub(crate) fn number<H>(handle: *const H) -> u64 {
    handle.addr() as u64
}
