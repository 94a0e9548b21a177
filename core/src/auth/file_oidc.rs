//! `file-oidc`: an ID token in a file, read each time because projected tokens rotate.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use crate::auth::chain::{Chosen, Ground};
use crate::auth::federation::{IdTokens, as_token, identity};
use crate::clock::{BoxFuture, Deadline};
use crate::code::Code;
use crate::error::{Error, Result};
use crate::http::{Retry, Wire};
use crate::secret::Secret;

const NAME: &str = "file-oidc";
const LIMIT: u64 = 64 * 1024;

pub(crate) fn make(ground: &Ground<'_>) -> Result<Chosen> {
    let path = ground.need(NAME, "oidc_token_filepath")?.expose();
    let source = TokenFile {
        path: ground.resolved.environment().expand(path),
        from: ground.source("oidc_token_filepath"),
    };
    Ok(identity(ground, NAME, path, source))
}

#[derive(Debug)]
struct TokenFile {
    path: PathBuf,
    from: String,
}

impl IdTokens for TokenFile {
    fn id_token<'a>(
        &'a self,
        _wire: &'a Wire,
        _audience: &'a str,
        _deadline: Deadline,
        _retry: Retry,
    ) -> BoxFuture<'a, Result<Secret>> {
        Box::pin(async move {
            let text = text_of(&self.path).map_err(|why| {
                Error::new(
                    Code::AuthFailed,
                    format!("the ID token file {} {why}", self.path.display()),
                )
                .with_hint(format!("Check oidc_token_filepath (from {})", self.from))
            })?;
            as_token(&text, &format!("the file {}", self.path.display()))
        })
    }
}

/// The text of a small file that others write.
pub(crate) fn text_of(path: &std::path::Path) -> Result<String, String> {
    // Opening a pipe would wait for somebody to write.
    let metadata = std::fs::metadata(path).map_err(|cause| format!("cannot be read: {cause}"))?;
    if !metadata.is_file() {
        return Err("is no file".to_owned());
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LIMIT).read_to_end(&mut bytes))
        .map_err(|cause| format!("cannot be read: {cause}"))?;
    // The error of a failed conversion would carry the text.
    String::from_utf8(bytes).map_err(|_| "is not text".to_owned())
}
