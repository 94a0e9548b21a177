//! Doing what was asked: from flags to one call of the core, and from its answer to text or JSON.

use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

use lakekey::management::{Object, Postgres};
use lakekey::{Client, Code, Error};
use serde_json::{Map, Value, json};

use super::field::{Goes, Kind, put};
use super::name::{Names, short};
use super::{Asked, BODY, MASK, NAME, NO_WAIT, Place, Verb, WAIT_FOR, YES, confirm, show};
use crate::output::{self, Output, Stop};
use crate::session::{self, Session};

pub(super) fn run(asked: &Asked, session: &Session) -> Result<ExitCode, Stop> {
    let client = session.client()?;
    let job = Job {
        asked,
        postgres: client.postgres(),
        client,
    };
    let text = match asked.verb {
        Verb::List => job.list()?,
        Verb::Get => job.get()?,
        Verb::Create | Verb::Update => job.write()?,
        Verb::Delete => job.delete()?,
        Verb::Undelete => job.undelete()?,
        Verb::Wait => job.wait()?,
        Verb::RevealPassword => job.reveal()?,
        Verb::Reset => job.reset()?,
        Verb::ForCi => job.for_ci()?,
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

struct Job<'a> {
    asked: &'a Asked,
    client: Client,
    postgres: Postgres,
}

impl Job<'_> {
    fn json(&self) -> bool {
        self.asked.output() == Output::Json
    }

    fn one(&self, item: &Value) -> String {
        if self.json() {
            format!("{item}\n")
        } else {
            show::one(item)
        }
    }

    /// `delete_branch`, or `list_branches`.
    fn method(&self, verb: &str) -> String {
        let resource = self.asked.resource;
        match verb {
            "list" => format!("list_{}", resource.collection()),
            verb => format!("{verb}_{}", resource.one),
        }
    }

    fn call(&self, doing: &str, method: &str, arguments: Object) -> Result<Value, Stop> {
        session::wait(doing, self.postgres.call(method, arguments, None))
    }

    /// The full name that the command line gives.
    fn name(&self) -> Result<String, Stop> {
        let asked = self.asked;
        let text = asked.text(NAME).unwrap_or_default();
        let names = Names {
            client: &self.client,
        };
        let new = asked.verb == Verb::Create;
        session::wait("waiting for the endpoint", async {
            Ok(names.one(&asked.resource.place, text, new).await)
        })?
    }

    /// What the flags say: into the resource, and beside it.
    fn given(&self, name: &str) -> Result<(Object, Object), Stop> {
        let (mut resource, mut beside) = (self.body()?, Object::new());
        for field in self.asked.resource.fields {
            if !field.verbs.contains(&self.asked.verb) {
                continue;
            }
            let Some(value) = field.given(&self.asked.matches) else {
                continue;
            };
            let value = self.full(field.kind, value, name)?;
            match field.goes {
                Goes::Into(path) => put(&mut resource, path, value),
                Goes::Beside(argument) => drop(beside.insert(argument.to_owned(), value)),
            }
        }
        Ok((resource, beside))
    }

    /// A value that names another resource, by its full name.
    fn full(&self, kind: Kind, value: Value, near: &str) -> Result<Value, Stop> {
        let (words, depth): (&'static [&'static str], usize) = match kind {
            Kind::Branch => (&["projects", "branches"], 1),
            Kind::Role => (&["projects", "branches", "roles"], 2),
            _ => return Ok(value),
        };
        let text = value.as_str().unwrap_or_default();
        // An id alone means a neighbour.
        let near: Vec<&str> = near.split('/').take(depth * 2).collect();
        let text = if text.contains(['/', '.']) || near.first() != Some(&"projects") {
            text.to_owned()
        } else {
            let word = words.last().copied().unwrap_or_default();
            format!("{}/{word}/{text}", near.join("/"))
        };
        let names = Names {
            client: &self.client,
        };
        let full = session::wait("waiting for the workspace", async {
            Ok(names.one(&Place::Below(words), &text, true).await)
        })??;
        Ok(full.into())
    }

    fn body(&self) -> Result<Object, Stop> {
        if !matches!(self.asked.verb, Verb::Create | Verb::Update) {
            return Ok(Object::new());
        }
        let Some(from) = self.asked.text(BODY) else {
            return Ok(Object::new());
        };
        let unread = |problem: String| {
            Error::new(Code::ApiArgument, format!("--body {from}: {problem}"))
                .with_hint("Give a file with one JSON object as the API has it, or - for stdin")
        };
        let mut text = String::new();
        if from == "-" {
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|cause| unread(cause.to_string()))?;
        } else {
            text = std::fs::read_to_string(from).map_err(|cause| unread(cause.to_string()))?;
        }
        match serde_json::from_str(&text) {
            Ok(Value::Object(body)) => Ok(body),
            Ok(_) => Err(unread("is no JSON object".to_owned()).into()),
            Err(cause) => Err(unread(format!("is no JSON: {cause}")).into()),
        }
    }

    fn list(&self) -> Result<String, Stop> {
        let resource = self.asked.resource;
        let (_, mut arguments) = self.given("")?;
        let names = Names {
            client: &self.client,
        };
        let (method, items) = (self.method("list"), resource.collection());
        let all = session::wait("listing", async {
            let parent = match names.parent(&resource.place, self.asked.text(NAME)).await {
                Ok(parent) => parent,
                Err(stop) => return Ok(Err(stop)),
            };
            if resource.has_parent() {
                arguments.insert("parent".to_owned(), parent.into());
            }
            let mut all = Vec::new();
            arguments.insert("prefetch".to_owned(), true.into());
            loop {
                let mut page = self.postgres.call(&method, arguments.clone(), None).await?;
                if let Some(Value::Array(page)) = page.get_mut(&items).map(Value::take) {
                    all.extend(page);
                }
                match page.get("next_page_token") {
                    Some(Value::String(next)) => {
                        arguments.insert("page_token".to_owned(), next.as_str().into());
                    }
                    _ => return Ok(Ok(all)),
                }
            }
        })??;
        if self.json() {
            return Ok(format!("{}\n", Value::Array(all)));
        }
        Ok(show::list(resource, &all))
    }

    fn get(&self) -> Result<String, Stop> {
        let name = self.name()?;
        let found = self.call(
            "waiting for the workspace",
            &self.method("get"),
            named(&name),
        )?;
        Ok(self.one(&found))
    }

    fn write(&self) -> Result<String, Stop> {
        let name = self.name()?;
        let (resource, mut arguments) = self.given(&name)?;
        let kind = self.asked.resource;
        arguments.insert(kind.one.to_owned(), Value::Object(resource));
        let verb = if self.asked.verb == Verb::Create {
            let (place, id) = name.rsplit_once('/').unwrap_or(("", &name));
            let parent = place.rsplit_once('/').map(|(parent, _)| parent);
            if let Some(parent) = parent {
                arguments.insert("parent".to_owned(), parent.into());
            }
            arguments.insert(format!("{}_id", kind.one), id.into());
            "create"
        } else {
            arguments.insert("name".to_owned(), name.into());
            if let Some(mask) = self.asked.text(MASK) {
                arguments.insert("update_mask".to_owned(), mask.into());
            }
            "update"
        };
        let operation = self.call("waiting for the workspace", &self.method(verb), arguments)?;
        self.follow(operation, Job::one)
    }

    fn delete(&self) -> Result<String, Stop> {
        let name = self.name()?;
        let (_, mut arguments) = self.given(&name)?;
        if !self.asked.flag(YES) {
            let what = if arguments.contains_key("purge") {
                "deleted for good"
            } else {
                "deleted"
            };
            confirm::confirm(what, &name)?;
        }
        arguments.insert("name".to_owned(), name.as_str().into());
        let operation = self.call(
            "waiting for the workspace",
            &self.method("delete"),
            arguments,
        )?;
        self.follow(operation, |job, _| job.said(&name, "deleted"))
    }

    fn undelete(&self) -> Result<String, Stop> {
        let name = self.name()?;
        let method = self.method("undelete");
        let operation = self.call("waiting for the workspace", &method, named(&name))?;
        self.follow(operation, |job, _| job.said(&name, "undeleted"))
    }

    fn said(&self, name: &str, done: &str) -> String {
        if self.json() {
            format!("{}\n", json!({"name": name, done: true}))
        } else {
            format!("{done} {}\n", output::visible(name))
        }
    }

    fn reveal(&self) -> Result<String, Stop> {
        let name = self.name()?;
        let found = self.call(
            "waiting for the workspace",
            "reveal_role_password",
            named(&name),
        )?;
        if self.json() {
            return Ok(format!("{found}\n"));
        }
        let password = found.get("password").and_then(Value::as_str);
        password
            .map(|password| format!("{password}\n"))
            .ok_or_else(|| {
                let said = format!("the workspace gave no password for {name}");
                Error::new(Code::HttpProtocol, said).into()
            })
    }

    fn reset(&self) -> Result<String, Stop> {
        let name = self.name()?;
        if !self.asked.flag(YES) {
            confirm::confirm("deleted for good and made anew", &name)?;
        }
        let mut arguments = named(&name);
        arguments.insert("confirm".to_owned(), name.into());
        self.own("waiting for the branch", "reset_branch", arguments)
    }

    fn for_ci(&self) -> Result<String, Stop> {
        let (_, mut arguments) = self.given("")?;
        if let Some(target) = self.asked.text(NAME) {
            arguments.insert("target".to_owned(), target.into());
        }
        self.own("waiting for a login", "branch_for_ci", arguments)
    }

    /// Calls a method of lakekey's own, which waits by itself.
    fn own(&self, doing: &str, method: &str, arguments: Object) -> Result<String, Stop> {
        let work = self.postgres.call(method, arguments, Some(self.wait_for()));
        Ok(self.one(&session::wait_long(doing, work)?))
    }

    fn wait(&self) -> Result<String, Stop> {
        let name = self.name()?;
        if self.asked.resource.one == "synced_table" {
            return self.own("waiting for its rows", "wait_synced_table", named(&name));
        }
        let key = match self.asked.resource.place {
            Place::Operation => "name",
            _ => "resource",
        };
        let operation = Map::from_iter([(key.to_owned(), Value::from(name))]);
        self.ended(operation, Job::one)
    }

    fn wait_for(&self) -> Duration {
        let given = self.asked.matches.get_one::<Duration>(WAIT_FOR);
        given.copied().unwrap_or(Duration::from_mins(20))
    }

    /// Waits for an operation and says how it ended, or says its name only.
    fn follow(
        &self,
        operation: Value,
        say: impl FnOnce(&Self, &Value) -> String,
    ) -> Result<String, Stop> {
        let Value::Object(operation) = operation else {
            let said = "the workspace answered without an operation";
            return Err(Error::new(Code::HttpProtocol, said).into());
        };
        if !self.asked.flag(NO_WAIT) {
            return self.ended(operation, say);
        }
        if self.json() {
            return Ok(format!("{}\n", Value::Object(operation)));
        }
        Ok(format!("{}\n", waits_for(&operation).1))
    }

    fn ended(
        &self,
        operation: Object,
        say: impl FnOnce(&Self, &Value) -> String,
    ) -> Result<String, Stop> {
        let (command, name) = waits_for(&operation);
        let options = lakekey::management::WaitOptions::timeout(self.wait_for());
        let doing = format!("waiting for {name}");
        let done = session::wait_long(&doing, self.postgres.wait_operation(operation, options));
        match done {
            Ok(value) => Ok(say(self, &value)),
            Err(stop) => {
                let given_up = match &stop {
                    Stop::Interrupted => true,
                    Stop::Failed(error) => error.code() == Code::Timeout,
                    Stop::NobodyReads | Stop::Usage(_) => false,
                };
                if given_up {
                    output::tell(&format!(
                        "{name} goes on; wait for it with: lakekey {command} wait {name}"
                    ));
                }
                Err(stop)
            }
        }
    }
}

/// The command that waits for an operation, and the name that it takes. One whose answer was lost has no name of its own.
fn waits_for(operation: &Object) -> (&'static str, String) {
    let text = |field: &str| {
        let text = operation.get(field).and_then(Value::as_str);
        text.unwrap_or_default()
    };
    match (text("name"), text("resource")) {
        ("", resource) => {
            let collection = resource.rsplit('/').nth(1).unwrap_or_default();
            let known = super::RESOURCES
                .iter()
                .find(|known| known.collection() == collection);
            (
                known.map_or("operations", |known| known.command),
                short(resource),
            )
        }
        (name, _) => ("operations", name.to_owned()),
    }
}

fn named(name: &str) -> Object {
    Map::from_iter([("name".to_owned(), Value::from(name))])
}
