//! What a soak leaves behind: processes that should have ended, and secrets in what was printed.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

/// The secrets that the apps are given; what they are made of stands nowhere else.
pub(super) const SECRETS: [&str; 2] = ["dapi-emulator", "emulator-secret"];
/// How every JWT begins, with a header that begins with a brace and a quotation mark, as all do here.
const JWT: &str = "eyJ";
/// A shorter word may be anything.
const JWT_LENGTH: usize = 40;
/// The last processes of Postgres end a moment after their server.
const ENDED_WITHIN: Duration = Duration::from_secs(10);

/// The files below `folder` whose name ends with `.log` and that hold a secret, each with what is in it.
pub(super) fn secrets(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "log") {
            continue;
        }
        let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
        if let Some(what) = secret_in(&text) {
            found.push(format!("{what} in {}", path.display()));
        }
    }
    Ok(found)
}

fn secret_in(text: &str) -> Option<&'static str> {
    if SECRETS.iter().any(|secret| text.contains(secret)) {
        return Some("a planted secret");
    }
    let token = |part: &str| {
        let length = part
            .find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)))
            .unwrap_or(part.len());
        length >= JWT_LENGTH
    };
    let mut parts = text.split(JWT).skip(1);
    parts.any(token).then_some("a token")
}

/// The processes that still work in `folder`, a moment after all should have ended.
pub(super) fn processes_in(folder: &Path) -> Vec<String> {
    let deadline = Instant::now() + ENDED_WITHIN;
    loop {
        let left = working_in(folder);
        if left.is_empty() || Instant::now() > deadline {
            return left;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn working_in(folder: &Path) -> Vec<String> {
    let Ok(all) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    all.filter_map(Result::ok)
        .filter(|entry| {
            fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder))
        })
        .map(|entry| {
            let command = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            format!("{} {}", entry.file_name().to_string_lossy(), command.trim())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::secret_in;

    #[test]
    fn secrets_and_tokens_are_found_and_nothing_else() {
        assert_eq!(
            secret_in("a login failed: password authentication failed"),
            None
        );
        assert_eq!(secret_in("eyJ is how they begin"), None);
        assert_eq!(secret_in("token=dapi-emulator"), Some("a planted secret"));
        let token = format!("Bearer eyJ{}.x", "hbGciOiJ".repeat(6));
        assert_eq!(secret_in(&token), Some("a token"));
    }
}
