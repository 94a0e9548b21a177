//! `lakekey projects`, `branches` and the rest, as people and scripts run them against a local Lakebase.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

const LAKEKEY: &str = env!("CARGO_BIN_EXE_lakekey");

/// A local Lakebase; ends with the test.
struct Lakebase {
    child: Child,
    environment: Vec<(String, String)>,
}

impl Lakebase {
    fn new(arguments: &[&str]) -> Lakebase {
        let mut child = Command::new(LAKEKEY)
            .arg("emulate")
            .args(arguments)
            .args(["--parent-pid", &std::process::id().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let environment = ready["env"].as_object().unwrap().iter();
        let environment = environment
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect();
        Lakebase { child, environment }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(LAKEKEY);
        command
            .args(arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, line: &str) -> Output {
        let arguments: Vec<&str> = line.split(' ').collect();
        self.command(&arguments).output().unwrap()
    }

    /// What it prints; it has to succeed.
    fn text(&self, line: &str) -> String {
        let done = self.run(line);
        assert_eq!(
            done.status.code(),
            Some(0),
            "{line}: {}",
            text(&done.stderr)
        );
        text(&done.stdout).to_owned()
    }

    fn json(&self, line: &str) -> Value {
        let said = self.text(&format!("{line} --output json"));
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{line}: {error}: {said}"))
    }

    /// The exit code and the error; it has to fail.
    fn refused(&self, line: &str) -> (i32, Value) {
        let done = self.run(&format!("{line} --output json"));
        let said: Value = serde_json::from_slice(&done.stdout)
            .unwrap_or_else(|error| panic!("{line}: {error}: {}", text(&done.stderr)));
        (done.status.code().unwrap(), said["error"].clone())
    }
}

impl Drop for Lakebase {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn names(list: &Value) -> Vec<&str> {
    let items = list.as_array().unwrap().iter();
    items.map(|item| item["name"].as_str().unwrap()).collect()
}

#[test]
fn a_branch_lives_from_create_to_purge_under_every_shape_of_its_name() {
    let lakebase = Lakebase::new(&[]);
    let ci = "projects/emulator/branches/ci-42";
    let made = lakebase.json("branches create emulator.ci-42 --ttl 2h");
    assert_eq!(made["name"], ci);
    assert!(made["status"]["expire_time"].is_string(), "{made}");

    let (code, error) = lakebase.refused("branches create emulator.ci-42 --ttl 2h");
    assert_eq!((code, &error["http_status"]), (1, &json!(409)));
    let again = lakebase.json("branches create ci-42 --ttl 2h --get-existing");
    assert_eq!(again["uid"], made["uid"]);

    for name in [ci, "emulator.ci-42", "ci-42"] {
        assert_eq!(
            lakebase.json(&format!("branches get {name}"))["uid"],
            made["uid"]
        );
    }
    // The list of what the environment names, and of what is named.
    for list in [
        "branches list",
        "branches list emulator",
        "branches list projects/emulator",
    ] {
        let all = lakebase.json(list);
        assert_eq!(names(&all).len(), 2, "{all}");
        assert!(names(&all).contains(&ci), "{all}");
    }
    let table = lakebase.text("branches list");
    let lines: Vec<&str> = table.lines().collect();
    assert!(
        lines[0].starts_with("NAME ") && lines[0].contains(" STATE "),
        "{table}"
    );
    let row = lines
        .iter()
        .find(|line| line.starts_with("emulator.ci-42 "))
        .unwrap();
    assert_eq!(row.find("READY"), lines[0].find("STATE"), "{table}");
    assert!(row.contains("emulator.production"), "{table}");

    let kept = lakebase.json("branches update emulator.ci-42 --no-expiry");
    assert_eq!(kept["status"]["expire_time"], Value::Null);
    let (code, error) = lakebase.refused("branches update emulator.ci-42");
    assert_eq!((code, &error["slug"]), (1, &json!("API_ARGUMENT")));

    assert_eq!(
        lakebase.text("branches delete emulator.ci-42 --yes"),
        format!("deleted {ci}\n")
    );
    assert_eq!(names(&lakebase.json("branches list")).len(), 1);
    assert_eq!(
        names(&lakebase.json("branches list --show-deleted")).len(),
        2
    );
    assert_eq!(lakebase.json("branches undelete ci-42")["undeleted"], true);
    let gone = lakebase.json("branches delete ci-42 --purge --yes");
    assert_eq!(gone, json!({"name": ci, "deleted": true}));
    assert_eq!(lakebase.refused("branches get ci-42").1["http_status"], 404);
}

#[test]
fn each_kind_of_resource_has_its_fields() {
    let lakebase = Lakebase::new(&[]);
    let project = lakebase
        .json("projects create shop --display-name Shop --retention 72h --tag team=a --tag env=b");
    assert_eq!(project["status"]["display_name"], "Shop");
    assert_eq!(project["status"]["history_retention_duration"], "259200s");
    assert_eq!(
        project["status"]["custom_tags"][1],
        json!({"key": "env", "value": "b"})
    );
    assert!(lakebase.text("projects list").contains("shop"));

    let reader = lakebase
        .json("endpoints create shop.production.reader --type read-only --min-cu 0.5 --max-cu 2");
    assert_eq!(reader["status"]["endpoint_type"], "ENDPOINT_TYPE_READ_ONLY");
    assert_eq!(reader["status"]["autoscaling_limit_max_cu"], 2.0);
    // A branch means its read-write endpoint, and a host means the endpoint that has it.
    let writer = lakebase.json("endpoints get shop.production");
    assert_eq!(
        writer["name"],
        "projects/shop/branches/production/endpoints/primary"
    );
    let host = writer["status"]["hosts"]["host"].as_str().unwrap();
    assert_eq!(
        lakebase.json(&format!("endpoints get {host}"))["uid"],
        writer["uid"]
    );
    assert_eq!(
        lakebase.json("endpoints wait shop.production.reader")["uid"],
        reader["uid"]
    );

    let ann = lakebase.json("roles create shop.production.ann --postgres-role ann@example.com --identity user --createdb true");
    assert_eq!(ann["status"]["identity_type"], "USER");
    assert_eq!(ann["status"]["attributes"]["createdb"], true);
    let native = lakebase.text("roles create shop.production.legacy --postgres-role legacy");
    assert!(native.contains("PG_PASSWORD_SCRAM_SHA_256"), "{native}");
    assert!(
        lakebase
            .text("roles reveal-password shop.production.legacy")
            .trim()
            .len()
            > 8
    );
    let (code, error) = lakebase.refused("roles reveal-password shop.production.ann");
    assert_eq!((code, &error["http_status"]), (1, &json!(400)));

    let orders = lakebase
        .json("databases create shop.production.orders --postgres-database orders --owner ann");
    assert_eq!(
        orders["status"]["role"],
        "projects/shop/branches/production/roles/ann"
    );
    assert_eq!(
        names(&lakebase.json("databases list shop.production")).len(),
        2
    );
    // A project with one branch means that branch.
    assert_eq!(names(&lakebase.json("databases list shop")).len(), 2);

    let snapshot = lakebase.json("snapshots create shop.monday --source production --no-expiry");
    assert_eq!(
        snapshot["status"]["source_branch"],
        "projects/shop/branches/production"
    );
    let other = lakebase
        .json("branches create shop.other --snapshot projects/shop/snapshots/monday --no-expiry");
    assert_eq!(other["status"]["source_snapshot"], snapshot["name"]);
    // With two branches none is chosen.
    let (code, error) = lakebase.refused("databases list shop");
    assert_eq!((code, &error["slug"]), (1, &json!("TARGET_AMBIGUOUS")));

    let body = tempfile::NamedTempFile::new().unwrap();
    write!(&body, "{}", json!({"spec": {"custom_tags": []}})).unwrap();
    let path = body.path().to_str().unwrap();
    let untagged = lakebase.json(&format!(
        "projects update shop --body {path} --display-name Laden"
    ));
    assert_eq!(untagged["status"]["display_name"], "Laden");
    assert_eq!(untagged["status"]["custom_tags"], Value::Null, "{untagged}");
}

#[test]
fn a_delete_is_asked_for_and_a_script_has_to_say_yes() {
    let lakebase = Lakebase::new(&[]);
    lakebase.text("branches create emulator.dear --no-expiry");
    let (code, error) = lakebase.refused("branches delete emulator.dear");
    assert_eq!(code, 2);
    let hint = error["hint"].as_str().unwrap();
    assert!(hint.contains("--yes"), "{error}");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("projects/emulator/branches/dear"),
        "{error}"
    );

    for (answer, code) in [("n\n", 1), ("\n", 1), ("y\n", 0)] {
        let terminal = Terminal::new();
        let mut child = lakebase
            .command(&["branches", "delete", "emulator.dear"])
            .stdin(terminal.end())
            .stderr(terminal.end())
            .spawn()
            .unwrap();
        terminal.until("[y/N]");
        terminal.write(answer);
        assert_eq!(child.wait().unwrap().code(), Some(code), "{answer:?}");
    }
    assert_eq!(names(&lakebase.json("branches list")).len(), 1);
}

#[test]
fn a_wait_is_told_of_and_can_be_left_and_resumed() {
    let lakebase = Lakebase::new(&["--operation-delay", "6s"]);
    let mut child = lakebase
        .command(&["branches", "create", "emulator.slow", "--ttl", "1h"])
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(
        line.starts_with("lakekey: waiting for projects/emulator/branches/slow/operations/"),
        "{line}"
    );
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    let (_, resume) = rest
        .trim()
        .split_once("wait for it with: lakekey ")
        .unwrap();
    assert!(
        resume.starts_with("operations wait projects/emulator/"),
        "{rest}"
    );

    let (code, error) = lakebase.refused(&format!("{resume} --wait-for 1s"));
    assert_eq!((code, &error["slug"]), (1, &json!("TIMEOUT")));
    assert_eq!(
        lakebase.json(resume)["name"],
        "projects/emulator/branches/slow"
    );

    let begun = lakebase.text("branches delete emulator.slow --yes --no-wait");
    let operation = begun.trim();
    assert_eq!(
        lakebase.json(&format!("operations wait {operation}")),
        json!({})
    );
    assert_eq!(
        lakebase.json(&format!("operations get {operation}"))["done"],
        true
    );
}

#[test]
fn a_branch_for_ci_takes_logins_and_is_found_again() {
    let lakebase = Lakebase::new(&[]);
    let first = lakebase.json("branches ci emulator --id run-7 --ttl 30m");
    assert_eq!(
        (&first["created"], &first["branch"]["name"]),
        (&json!(true), &json!("projects/emulator/branches/run-7"))
    );
    assert_eq!(
        first["login"]["endpoint"],
        "projects/emulator/branches/run-7/endpoints/primary"
    );
    assert_eq!(first["login"]["database"], "databricks_postgres");
    let again = lakebase.json("branches ci emulator --id run-7");
    assert_eq!(
        (&again["created"], &again["branch"]["uid"]),
        (&json!(false), &first["branch"]["uid"])
    );
    let (code, error) = lakebase.refused("branches ci emulator");
    assert_eq!((code, &error["slug"]), (1, &json!("API_ARGUMENT")));

    let reset = lakebase.json("branches reset run-7 --yes");
    assert_eq!(reset["name"], first["branch"]["name"]);
    assert_ne!(reset["uid"], first["branch"]["uid"]);
    assert_eq!(
        reset["status"]["expire_time"],
        first["branch"]["status"]["expire_time"]
    );
    assert_eq!(lakebase.refused("branches reset run-7").0, 2);
}

#[test]
fn wrong_usage_is_told_with_what_is_right() {
    let lakebase = Lakebase::new(&[]);
    for (line, hint) in [
        ("branches get a.b.c", "PROJECT.BRANCH"),
        (
            "branches get projects/emulator",
            "projects/PROJECT/branches/BRANCH",
        ),
        ("synced-tables get orders", "CATALOG.SCHEMA.TABLE"),
        ("operations wait nope", "operations/ID"),
    ] {
        let (code, error) = lakebase.refused(line);
        assert_eq!(
            (code, &error["slug"]),
            (2, &json!("TARGET_INVALID")),
            "{line}"
        );
        assert!(
            error["hint"].as_str().unwrap().contains(hint),
            "{line}: {error}"
        );
    }
    for line in [
        "branches create emulator.x --ttl soon",
        "branches create emulator.x --at yesterday",
        "endpoints create emulator.x.y --type writer",
        "branches",
        "operations list",
    ] {
        assert_eq!(lakebase.run(line).status.code(), Some(2), "{line}");
    }
    let help = lakebase.text("branches create --help");
    assert!(
        help.contains("--ttl <TIME>") && help.contains("Examples:"),
        "{help}"
    );
}

/// A terminal with this test on its other side.
struct Terminal {
    mine: std::fs::File,
    path: std::path::PathBuf,
}

impl Terminal {
    fn new() -> Terminal {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let mine = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&mine).unwrap();
        unlockpt(&mine).unwrap();
        let path = ptsname(&mine, Vec::new()).unwrap();
        Terminal {
            mine: mine.into(),
            path: path.to_str().unwrap().into(),
        }
    }

    fn end(&self) -> Stdio {
        let end = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(&self.path);
        end.unwrap().into()
    }

    /// Reads until this has been said.
    fn until(&self, text: &str) {
        let (mut said, mut byte) = (String::new(), [0]);
        while !said.contains(text) {
            (&self.mine).read_exact(&mut byte).unwrap();
            said.push(char::from(byte[0]));
        }
    }

    fn write(&self, text: &str) {
        (&self.mine).write_all(text.as_bytes()).unwrap();
    }
}
