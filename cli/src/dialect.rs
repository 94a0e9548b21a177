//! The forms in which connection settings are printed, shared by `url` and `conninfo convert`.

use clap::ValueEnum;
use lakekey::Result;
use lakekey::conn::{EnvStyle, Params, SqlAlchemyDriver, WithPassword};
use serde_json::{Map, Value};

/// A form of connection settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Dialect {
    /// postgresql:// for libpq and most drivers
    #[default]
    Uri,
    /// keyword=value pairs for libpq
    Keyword,
    /// jdbc:postgresql:// for pgjdbc
    Jdbc,
    /// postgresql+psycopg:// for SQLAlchemy
    Sqlalchemy,
    /// export PG...= lines for a shell
    Env,
    /// PG...= lines for a .env file
    Dotenv,
    /// One JSON object by libpq's keywords
    Json,
}

impl Dialect {
    /// Whether the form's readers take `hostaddr`.
    pub(crate) const fn takes_hostaddr(self) -> bool {
        !matches!(self, Dialect::Jdbc | Dialect::Sqlalchemy)
    }

    /// Writes the settings, without a line feed at the end.
    pub(crate) fn write(self, params: &Params, with: WithPassword) -> Result<String> {
        let text = match self {
            Dialect::Uri => params.to_uri(with),
            Dialect::Keyword => params.to_keyword(with),
            Dialect::Jdbc => params.to_jdbc(with)?,
            Dialect::Sqlalchemy => params.to_sqlalchemy(SqlAlchemyDriver::Psycopg, with),
            Dialect::Env => EnvStyle::Shell.write(params.to_env(with)?)?,
            Dialect::Dotenv => EnvStyle::Dotenv.write(params.to_env(with)?)?,
            Dialect::Json => Value::Object(object(params, with)).to_string(),
        };
        Ok(text.trim_end_matches('\n').to_owned())
    }
}

/// The settings by libpq's keywords, as text.
pub(crate) fn object(params: &Params, with: WithPassword) -> Map<String, Value> {
    params
        .pairs(with)
        .map(|(keyword, value)| (keyword.name().to_owned(), value.into()))
        .collect()
}
