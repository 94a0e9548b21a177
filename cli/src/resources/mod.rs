//! `lakekey projects`, `branches`, `endpoints` and the rest: the management API for shells and scripts.
//!
//! All of them are one program over one table (`table`): what a kind of resource is called, which columns a list has and
//! which flags fill which fields. What they do is the core's, called by name; so a flag is a line and no code.

mod confirm;
mod field;
mod name;
mod run;
mod show;
mod table;

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches, Subcommand};

use self::field::Field;
use self::table::RESOURCES;
use crate::duration;
use crate::output::{self, Output};
use crate::session::Session;

/// A kind of resource.
#[derive(Debug)]
struct Resource {
    /// The command, which is the collection's name with dashes.
    command: &'static str,
    /// What the API calls one of them.
    one: &'static str,
    about: &'static str,
    place: Place,
    verbs: &'static [Verb],
    columns: &'static [Column],
    fields: &'static [Field],
    examples: &'static str,
}

/// Where its names are.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// Below a project: the words of a full name.
    Below(&'static [&'static str]),
    /// Beside the projects, in this collection.
    Root(&'static str),
    /// Below anything.
    Operation,
}

/// A column of a list: its heading and the path of its value.
#[derive(Clone, Copy, Debug)]
struct Column(&'static str, &'static str);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    List,
    Get,
    Create,
    Update,
    Delete,
    Undelete,
    Wait,
    RevealPassword,
    Reset,
    ForCi,
}

impl Verb {
    const fn name(self) -> &'static str {
        match self {
            Verb::List => "list",
            Verb::Get => "get",
            Verb::Create => "create",
            Verb::Update => "update",
            Verb::Delete => "delete",
            Verb::Undelete => "undelete",
            Verb::Wait => "wait",
            Verb::RevealPassword => "reveal-password",
            Verb::Reset => "reset",
            Verb::ForCi => "ci",
        }
    }

    const fn about(self) -> &'static str {
        match self {
            Verb::List => "List them",
            Verb::Get => "Show one",
            Verb::Create => "Create one, and wait until it is there",
            Verb::Update => "Change what the flags say, and wait until it is done",
            Verb::Delete => "Delete one, and wait until it is gone",
            Verb::Undelete => "Bring back what was deleted",
            Verb::Wait => "Wait until it is ready",
            Verb::RevealPassword => "Print its Postgres password",
            Verb::Reset => "Delete one for good, and make it anew from its source",
            Verb::ForCi => "Make one for a run of tests, or find it, and wait until a login works",
        }
    }

    /// Whether it begins an operation, which is then waited for.
    const fn takes_long(self) -> bool {
        matches!(
            self,
            Verb::Create | Verb::Update | Verb::Delete | Verb::Undelete
        )
    }
}

impl Resource {
    /// The collection's name in the API.
    fn collection(&self) -> String {
        self.command.replace('-', "_")
    }

    fn has_parent(&self) -> bool {
        matches!(self.place, Place::Below(words) if words.len() > 1)
    }

    fn command(&self) -> Command {
        let verbs = self.verbs.iter().map(|verb| self.verb(*verb));
        Command::new(self.command)
            .about(self.about)
            .after_help(self.examples)
            .subcommand_required(true)
            .arg_required_else_help(true)
            .subcommands(verbs)
    }

    fn verb(&self, verb: Verb) -> Command {
        let mut command = Command::new(verb.name())
            .about(verb.about())
            .after_help(self.examples);
        if verb == Verb::ForCi {
            command = command.arg(Arg::new(NAME).value_name("TARGET").help(
                "The project, or the branch to begin with; default: what the environment names",
            ));
        } else if verb != Verb::List {
            command = command.arg(
                Arg::new(NAME)
                    .required(true)
                    .value_name("NAME")
                    .help(name::help(&self.place, verb == Verb::Create)),
            );
        } else if self.has_parent() {
            command = command.arg(
                Arg::new(NAME)
                    .value_name("PARENT")
                    .help(name::parent_help(&self.place)),
            );
        }
        let fields = self
            .fields
            .iter()
            .filter(|field| field.verbs.contains(&verb));
        command = command.args(fields.map(Field::arg));
        if matches!(verb, Verb::Create | Verb::Update) {
            command =
                command.arg(Arg::new(BODY).long(BODY).value_name("FILE").help(
                    "JSON of the resource as the API has it, - for stdin; flags come on top",
                ));
        }
        if verb == Verb::Update {
            command = command.arg(
                Arg::new(MASK)
                    .long(MASK)
                    .value_name("PATHS")
                    .help("Paths to change; default: what is set"),
            );
        }
        if matches!(verb, Verb::Delete | Verb::Reset) {
            command = command.arg(
                Arg::new(YES)
                    .long(YES)
                    .short('y')
                    .action(ArgAction::SetTrue)
                    .help("Do not ask"),
            );
        }
        if verb.takes_long() {
            command = command.arg(
                Arg::new(NO_WAIT)
                    .long(NO_WAIT)
                    .action(ArgAction::SetTrue)
                    .help("Do not wait; print the operation's name"),
            );
        }
        if verb.takes_long() || matches!(verb, Verb::Wait | Verb::Reset | Verb::ForCi) {
            command = command.arg(
                Arg::new(WAIT_FOR)
                    .long(WAIT_FOR)
                    .value_name("TIME")
                    .default_value("20m")
                    .value_parser(duration::parse)
                    .help("How long to wait, such as 90s or 20m"),
            );
        }
        command.arg(
            Arg::new(OUTPUT)
                .long(OUTPUT)
                .value_name("OUTPUT")
                .default_value("text")
                .value_parser(clap::builder::EnumValueParser::<Output>::new())
                .help("For people or for programs"),
        )
    }
}

const NAME: &str = "name";
const BODY: &str = "body";
const MASK: &str = "update-mask";
const YES: &str = "yes";
const NO_WAIT: &str = "no-wait";
const WAIT_FOR: &str = "wait-for";
const OUTPUT: &str = "output";

/// What the command line asks to be done with which kind of resource.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    resource: &'static Resource,
    verb: Verb,
    matches: ArgMatches,
}

impl Asked {
    pub(crate) fn run(&self, session: &Session) -> ExitCode {
        output::end(run::run(self, session), self.output())
    }

    fn output(&self) -> Output {
        let given = self.matches.get_one::<Output>(OUTPUT);
        given.copied().unwrap_or_default()
    }

    /// What was given; nothing where the verb has no such argument.
    fn text(&self, name: &str) -> Option<&str> {
        let given = self.matches.try_get_one::<String>(name).ok().flatten();
        given.map(String::as_str)
    }

    fn flag(&self, name: &str) -> bool {
        self.matches.get_flag(name)
    }
}

impl FromArgMatches for Asked {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Asked, clap::Error> {
        let found = matches.subcommand().and_then(|(command, matches)| {
            let resource = RESOURCES.iter().find(|one| one.command == command)?;
            let (verb, matches) = matches.subcommand()?;
            let verb = resource.verbs.iter().find(|one| one.name() == verb)?;
            Some(Asked {
                resource,
                verb: *verb,
                matches: matches.clone(),
            })
        });
        found.ok_or_else(|| clap::Error::new(clap::error::ErrorKind::InvalidSubcommand))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Asked::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Subcommand for Asked {
    fn augment_subcommands(command: Command) -> Command {
        command.subcommands(RESOURCES.iter().map(Resource::command))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Asked::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        RESOURCES.iter().any(|resource| resource.command == name)
    }
}

#[cfg(test)]
mod tests {
    use clap::{Command, Subcommand};

    use super::Asked;

    #[test]
    fn the_table_makes_a_sound_command_line() {
        Asked::augment_subcommands(Command::new("lakekey")).debug_assert();
    }
}
