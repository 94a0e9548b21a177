//! `PG*` variables, in the forms that shells, dotenv files and JSON readers take.

use super::params::{Params, WithPassword};
use super::table::Keyword;
use crate::{Code, Error, Result};

/// How variables are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvStyle {
    /// `export NAME='value'` lines for a POSIX shell.
    Shell,
    /// `NAME="value"` lines for a dotenv file.
    Dotenv,
    /// One JSON object.
    Json,
}

impl EnvStyle {
    /// Writes variables in this style, with a line feed at the end. Fails for a dotenv value that the readers of such
    /// files take in different ways: one with a line feed, or with both kinds of quotes.
    pub fn write<'a>(
        self,
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<String> {
        let variables = variables.into_iter();
        let mut out = String::new();
        match self {
            EnvStyle::Shell => {
                for (name, value) in variables {
                    let quoted = value.replace('\'', "'\\''");
                    out.extend(["export ", name, "='", &quoted, "'\n"]);
                }
            }
            EnvStyle::Dotenv => {
                for (name, value) in variables {
                    out.extend([name, "=", &dotenv(name, value)?, "\n"]);
                }
            }
            EnvStyle::Json => {
                let object: serde_json::Map<String, serde_json::Value> = variables
                    .map(|(name, value)| (name.to_owned(), value.into()))
                    .collect();
                out = format!("{:#}\n", serde_json::Value::Object(object));
            }
        }
        Ok(out)
    }
}

/// Single quotes are literal for every reader; inside double ones `$`, `\` and backticks mean something to most.
fn dotenv(name: &str, value: &str) -> Result<String> {
    if value.contains(['\n', '\r']) {
        return Err(unwritable(name, "a line end"));
    }
    if !value.contains('\'') {
        return Ok(format!("'{value}'"));
    }
    if value.contains(['"', '\\', '$', '`']) {
        return Err(unwritable(name, "a single quote beside one of \" \\ $ `"));
    }
    Ok(format!("\"{value}\""))
}

fn unwritable(name: &str, what: &str) -> Error {
    Error::new(
        Code::ConninfoInvalid,
        format!("the value of {name} holds {what}, which dotenv readers take in different ways"),
    )
    .with_hint("Write it for a shell or as JSON")
}

impl Params {
    /// The `PG*` variables that say the same. Fails for a keyword that has no variable.
    pub fn to_env(&self, with: WithPassword) -> Result<Vec<(&'static str, &str)>> {
        self.pairs(with)
            .map(|(keyword, value)| Ok((variable(keyword)?, value)))
            .collect()
    }
}

fn variable(keyword: Keyword) -> Result<&'static str> {
    keyword.env().ok_or_else(|| {
        Error::new(
            Code::ConninfoInvalid,
            format!("{:?} has no environment variable", keyword.name()),
        )
        .with_hint("Write a URI or keyword=value pairs, or leave this setting out")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::params::{Params, WithPassword};
    use super::EnvStyle;

    #[test]
    fn variables_have_libpqs_names_and_the_password_only_on_demand() {
        let params =
            Params::parse("host=h port=1 user=a@b.c password=p dbname=d sslmode=verify-full")
                .unwrap();
        assert_eq!(
            params.to_env(WithPassword::No).unwrap(),
            [
                ("PGHOST", "h"),
                ("PGPORT", "1"),
                ("PGUSER", "a@b.c"),
                ("PGDATABASE", "d"),
                ("PGSSLMODE", "verify-full")
            ]
        );
        assert!(
            params
                .to_env(WithPassword::Yes)
                .unwrap()
                .contains(&("PGPASSWORD", "p"))
        );
        let error = Params::parse("keepalives=1")
            .unwrap()
            .to_env(WithPassword::No)
            .unwrap_err();
        assert!(error.message().contains("keepalives"));
    }

    #[test]
    fn each_style_quotes_for_its_reader() {
        let pairs = [("A", "it's $x `y`"), ("B", "")];
        assert_eq!(
            EnvStyle::Shell.write(pairs).unwrap(),
            "export A='it'\\''s $x `y`'\nexport B=''\n"
        );
        assert_eq!(
            EnvStyle::Dotenv
                .write([("A", "a $b \"c\""), ("B", "it's")])
                .unwrap(),
            "A='a $b \"c\"'\nB=\"it's\"\n"
        );
        assert!(
            EnvStyle::Dotenv
                .write(pairs)
                .unwrap_err()
                .message()
                .starts_with("the value of A")
        );
        assert!(EnvStyle::Dotenv.write([("A", "a\nb")]).is_err());
        let json: serde_json::Value =
            serde_json::from_str(&EnvStyle::Json.write(pairs).unwrap()).unwrap();
        assert_eq!(json, serde_json::json!({"A": "it's $x `y`", "B": ""}));
    }

    #[test]
    fn a_shell_reads_back_what_is_written() {
        let value = "a'b\"c\\d$HOME`e`\n!f *";
        let script =
            EnvStyle::Shell.write([("LAKEKEY_T", value)]).unwrap() + "printf %s \"$LAKEKEY_T\"";
        let out = std::process::Command::new("sh")
            .args(["-c", &script])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(out.stdout).unwrap(), value);
    }
}
