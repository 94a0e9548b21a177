//! The steps of one case, done with the Rust crate.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lakekey::clock::SystemClock;
use lakekey::config::Environment;
use lakekey::conn::WithPassword;
use lakekey::credential::Store;
use lakekey::jitter::SystemDice;
use lakekey::login::Report;
use lakekey::management::WaitOptions;
use lakekey::{Client, ClientOptions, ConnectRequest, CredentialRequest};
use serde_json::{Value, json};

use crate::Admin;
use crate::case::{Args, Fields, Step, Wrong, fields, flat, matches};
use crate::login::login;

/// Why a step did not succeed.
enum Stop {
    Wrong(Wrong),
    Error(lakekey::Error),
}

impl From<lakekey::Error> for Stop {
    fn from(error: lakekey::Error) -> Stop {
        Stop::Error(error)
    }
}

/// One case, with a store of its own: as a process has one in the other languages.
pub(crate) struct Run<'a> {
    options: ClientOptions,
    names: BTreeMap<String, String>,
    admin: &'a Admin,
    client: Option<Client>,
}

impl Run<'_> {
    pub(crate) fn new<'a>(
        env: Vec<(String, String)>,
        home: &Path,
        names: BTreeMap<String, String>,
        admin: &'a Admin,
    ) -> Run<'a> {
        let options = ClientOptions {
            environment: Environment::from_pairs(env).with_home(home),
            store: Store::new(Arc::new(SystemClock), Arc::new(SystemDice)),
            ..ClientOptions::default()
        };
        Run {
            options,
            names,
            admin,
            client: None,
        }
    }

    pub(crate) async fn steps(&mut self, steps: &[Step]) -> Result<(), Wrong> {
        for (number, step) in (1..).zip(steps) {
            let end = Instant::now() + Duration::from_secs_f64(step.until_s.unwrap_or(0.0));
            while let Err(wrong) = self.step(step).await {
                if Instant::now() >= end {
                    return Err(format!("step {number} ({}): {wrong}", step.op));
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<(), Wrong> {
        let step = step.filled(&self.names)?;
        let found = match (self.perform(&step.op, step.args).await, step.error) {
            (Err(Stop::Wrong(wrong)), _) => return Err(wrong),
            (Err(Stop::Error(error)), Some(expected)) => return expected.matches(&error),
            (Err(Stop::Error(error)), None) => {
                return Err(format!("it failed: {} {error}", error.code().slug()));
            }
            (Ok(_), Some(_)) => return Err("it succeeded, and an error was expected".to_owned()),
            (Ok(found), None) => found,
        };
        matches(&found, &step.expect)?;
        for (field, name) in step.save {
            let value = found.get(&field).and_then(Value::as_str);
            let value = value.ok_or(format!("there is no {field} to save"))?;
            self.names.insert(name, value.to_owned());
        }
        Ok(())
    }

    async fn perform(&mut self, op: &str, args: Args) -> Result<Fields, Stop> {
        if op == "admin" {
            let answer = self.admin.call(&args.call, &Value::Object(args.body));
            return answer.map(|_| Fields::new()).map_err(Stop::Wrong);
        }
        if op == "client" {
            let mut options = self.options.clone();
            for (name, value) in args.settings {
                options.settings.set(name, value);
            }
            options.target = args.target;
            options.product = args.product;
            options.timeout = args
                .timeout_s
                .map_or(options.timeout, Duration::from_secs_f64);
            self.client = Some(Client::new(options)?);
            return Ok(Fields::new());
        }
        let client = match &self.client {
            Some(client) => client.clone(),
            None => Client::new(self.options.clone())?,
        };
        self.client = Some(client.clone());
        let wanted = CredentialRequest {
            target: args.target.clone(),
            ttl: args.ttl_s.map(Duration::from_secs_f64),
            timeout: args.timeout_s.map(Duration::from_secs_f64),
        };
        match op {
            "token" | "credential" => {
                let credential = client.credential(&wanted).await?.credential;
                let token = credential.token().expose();
                let lived_ms = credential.expires_at_ms() - credential.issued_at_ms();
                Ok(fields(json!({
                    "token": token,
                    "subject": subject(token),
                    "endpoint": credential.endpoint(),
                    "lifetime_s": (lived_ms + 500) / 1000,
                })))
            }
            "storm" => {
                let calls: Vec<_> = (0..args.count)
                    .map(|_| {
                        let (client, wanted) = (client.clone(), wanted.clone());
                        tokio::spawn(async move { client.credential(&wanted).await })
                    })
                    .collect();
                let mut tokens = BTreeSet::new();
                for call in calls {
                    let lease = call
                        .await
                        .map_err(|error| Stop::Wrong(error.to_string()))??;
                    tokens.insert(lease.credential.token().expose().to_owned());
                }
                Ok(fields(json!({ "distinct": tokens.len() })))
            }
            "invalidate" => Ok(fields(json!({ "fresh": client.invalidate(&args.token) }))),
            "explain" => Ok(explained(&args)),
            "call" => Ok(flat(called(&client, args).await?)),
            "close" => {
                client.close();
                Ok(Fields::new())
            }
            "connect_params" | "conninfo" | "login" => {
                let request = ConnectRequest {
                    target: args.target,
                    database: args.database,
                    user: args.user,
                    port: args.port,
                    sslmode: args.sslmode,
                    sslrootcert: args.sslrootcert,
                    ttl: wanted.ttl,
                    timeout: wanted.timeout,
                    ..ConnectRequest::default()
                };
                let params = client.connect_params(&request).await?.params;
                Ok(match op {
                    "conninfo" => {
                        fields(json!({ "conninfo": params.to_keyword(WithPassword::Yes) }))
                    }
                    "login" => login(&params, args.password.as_deref())
                        .await
                        .map_err(Stop::Wrong)?,
                    _ => params
                        .pairs(WithPassword::Yes)
                        .map(|(keyword, value)| (keyword.name().to_owned(), json!(value)))
                        .collect(),
                })
            }
            _ => Err(Stop::Wrong("there is no such op".to_owned())),
        }
    }
}

fn explained(args: &Args) -> Fields {
    let report = Report {
        code: args.sqlstate.as_deref(),
        text: &args.text,
        ..Report::default()
    };
    let meaning = report.explain();
    fields(json!({
        "class": meaning.kind.slug(),
        "retry": meaning.retry,
        "invalidate": meaning.invalidate,
        "hint": meaning.hint,
    }))
}

async fn called(client: &Client, args: Args) -> lakekey::Result<Value> {
    let postgres = client.postgres();
    match postgres.call(&args.method, args.arguments, None).await? {
        Value::Object(operation) if args.wait => {
            let options = WaitOptions::timeout(Duration::from_mins(1));
            postgres.wait_operation(operation, options).await
        }
        answer => Ok(answer),
    }
}

fn subject(token: &str) -> Option<String> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    claims["sub"].as_str().map(str::to_owned)
}
