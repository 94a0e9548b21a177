//! The client as JavaScript sees it. Its public face is the class `Client` of `lib/client.ts`.

use std::sync::Arc;

use lakekey_ffi::Handle;
use lakekey_ffi::plain::Options;
use lakekey_ffi::provider::HostTokenProvider;
use napi::bindgen_prelude::{Either, Either3, Function, Null};
use napi_derive::napi;

use crate::callback::{Callback, Question};
use crate::connect::{Connect, ConnectRequest};
use crate::credential::{Credential, CredentialRequest};
use crate::failure::Failure;
use crate::pending::{Deliver, Pending, start};

/// One configuration attribute by its Databricks name.
#[napi(object, object_to_js = false)]
pub struct Setting {
    /// `host`, `token`, `client_id`, ...
    pub name: String,
    /// Its value.
    pub value: String,
}

/// What a client is made from.
#[napi(object, object_to_js = false)]
pub struct ClientOptions {
    /// Configuration attributes.
    pub settings: Vec<Setting>,
    /// The database of calls that name none.
    pub target: Option<String>,
    /// The budget of calls that name none.
    pub timeout_millis: Option<f64>,
    /// Added to the user agent.
    pub product: Option<String>,
    /// Whether and where processes share credentials.
    pub shared_credentials: Option<String>,
}

/// The native part of a client.
#[napi]
pub struct Client {
    pub(crate) handle: Handle,
}

/// Makes a client. No I/O, no thread.
#[napi(catch_unwind)]
pub fn open(
    options: ClientOptions,
    ask: Option<Function<'_, Question, ()>>,
) -> napi::Result<Either<Client, Failure>> {
    let provider = ask
        .map(|ask| Callback::new(&ask))
        .transpose()?
        .map(|callback| Arc::new(callback) as Arc<dyn HostTokenProvider>);
    let options = Options {
        settings: options
            .settings
            .into_iter()
            .map(|setting| (setting.name, setting.value))
            .collect(),
        target: options.target,
        timeout_ms: millis(options.timeout_millis),
        product: options.product,
        shared_credentials: options.shared_credentials,
    };
    Ok(match Handle::new(options, provider) {
        Ok(handle) => Either::A(Client { handle }),
        Err(error) => Either::B(error.into()),
    })
}

#[napi]
impl Client {
    /// The token, if it is here and nothing is to be done about it.
    #[napi(catch_unwind)]
    pub fn peek(&self, target: Option<String>) -> Option<String> {
        self.handle
            .peek(target.as_deref())
            .map(|lease| lease.token().to_owned())
    }

    /// A credential, minted if need be.
    #[napi(
        catch_unwind,
        ts_args_type = "request: CredentialRequest, deliver: (failure: Failure | null, value: Credential | null) => void"
    )]
    pub fn start_credential(
        &self,
        request: CredentialRequest,
        deliver: Deliver<'_, Credential>,
    ) -> napi::Result<Either3<Pending, Failure, Null>> {
        let at_hand = self.handle.peek(request.target.as_deref()).is_some();
        start(self.handle.credential(request.into()), at_hand, &deliver)
    }

    /// Everything that a driver needs for one login.
    #[napi(
        catch_unwind,
        ts_args_type = "request: ConnectRequest, deliver: (failure: Failure | null, value: Connect | null) => void"
    )]
    pub fn start_connect(
        &self,
        request: ConnectRequest,
        deliver: Deliver<'_, Connect>,
    ) -> napi::Result<Either3<Pending, Failure, Null>> {
        let at_hand = self.handle.peek(request.target.as_deref()).is_some();
        start(
            self.handle.connect_params(request.into()),
            at_hand,
            &deliver,
        )
    }

    /// A client that is the user of this token and nobody else.
    #[napi(catch_unwind)]
    pub fn as_user(&self, token: String) -> Either<Client, Failure> {
        match self.handle.as_user(token) {
            Ok(handle) => Either::A(Client { handle }),
            Err(error) => Either::B(error.into()),
        }
    }

    /// Starts what a first such login needs, side by side, and returns at once.
    #[napi(catch_unwind)]
    pub fn prepare(&self, request: ConnectRequest) -> Option<Failure> {
        self.handle.prepare(request.into()).err().map(Failure::from)
    }

    /// Takes a token out of the cache because Postgres refused it; whether a fresh one is due.
    #[napi(catch_unwind)]
    pub fn invalidate(&self, token: String) -> Either<bool, Failure> {
        match self.handle.invalidate(&token) {
            Ok(due) => Either::A(due),
            Err(error) => Either::B(error.into()),
        }
    }

    /// Ends the client: later calls fail.
    #[napi(catch_unwind)]
    pub fn close(&self) -> Option<Failure> {
        self.handle.close().err().map(Failure::from)
    }
}

/// Whole milliseconds. What is no number or below zero becomes zero, which is refused where it matters.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "such casts saturate, and what is too small is refused as zero"
)]
pub(crate) fn millis(given: Option<f64>) -> Option<u64> {
    given.map(|ms| ms.ceil() as u64)
}
