//! `lakekey conninfo` as scripts see it: exit codes, streams, JSON.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

const SECRET: &str = "hunter2";

fn lakekey(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lakekey"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn json_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn fields_come_as_json_with_the_password_hidden() {
    let string = format!("postgresql://ada%40example.com:{SECRET}@h:1/d?ssl=true");
    let done = lakekey(&["conninfo", "parse", "--output", "json", &string], "");
    assert_eq!(done.status.code(), Some(0));
    let fields = json!({"user": "ada@example.com", "password": "***", "host": "h", "port": "1", "dbname": "d", "sslmode": "require"});
    assert_eq!(json_of(&done.stdout), fields);
    let done = lakekey(
        &[
            "conninfo",
            "parse",
            "--output",
            "json",
            "--with-token",
            &string,
        ],
        "",
    );
    assert_eq!(json_of(&done.stdout)["password"], SECRET);
}

#[test]
fn a_string_that_does_not_parse_ends_with_2_and_its_text_stays_secret() {
    let string = format!("host=h password={SECRET} {SECRET}");
    let done = lakekey(&["conninfo", "parse", "--output", "json", &string], "");
    assert_eq!(done.status.code(), Some(2));
    let error = &json_of(&done.stdout)["error"];
    assert_eq!(
        (&error["slug"], &error["code"]),
        (&json!("CONNINFO_SYNTAX"), &json!(1601))
    );
    assert!(error["message"].is_string() && error["hint"].is_string());
    assert_eq!(text(&done.stderr), "");

    let done = lakekey(&["conninfo", "parse", &string], "");
    assert_eq!(done.status.code(), Some(2));
    assert_eq!(text(&done.stdout), "");
    let said = text(&done.stderr);
    assert!(
        said.starts_with("lakekey: no \"=\" after the word at character 25\nhint: "),
        "{said}"
    );
    assert!(!said.contains(SECRET), "{said}");
}

#[test]
fn what_cannot_connect_is_a_warning_and_with_check_an_error() {
    let string = "host=h port=99999";
    let done = lakekey(&["conninfo", "parse", string], "");
    assert_eq!(done.status.code(), Some(0));
    assert_eq!(text(&done.stdout), "host  h\nport  99999\n");
    assert!(text(&done.stderr).contains("cannot connect"));
    let done = lakekey(
        &["conninfo", "parse", "--check", "--output", "json", string],
        "",
    );
    assert_eq!(done.status.code(), Some(2));
    assert_eq!(json_of(&done.stdout)["error"]["slug"], "CONNINFO_INVALID");
}

#[test]
fn strings_come_from_stdin_one_or_many() {
    let done = lakekey(&["conninfo", "parse", "-"], "host=h user='a b'\n");
    assert_eq!(text(&done.stdout), "host  h\nuser  a b\n");

    let done = lakekey(
        &["conninfo", "parse", "--lines", "-"],
        "host=a\nnonsense\nhost=b",
    );
    assert_eq!(done.status.code(), Some(2), "one of them does not parse");
    let lines: Vec<Value> = text(&done.stdout)
        .lines()
        .map(|line| json_of(line.as_bytes()))
        .collect();
    assert_eq!(
        (&lines[0], &lines[2]),
        (&json!({"host": "a"}), &json!({"host": "b"}))
    );
    assert_eq!(lines[1]["error"]["slug"], "CONNINFO_SYNTAX");

    let done = lakekey(
        &["conninfo", "convert", "--to", "uri", "-0", "-"],
        "host=a\n\0user=b",
    );
    assert_eq!(done.status.code(), Some(0));
    assert_eq!(
        text(&done.stdout),
        "{\"text\":\"postgresql://a/\"}\n{\"text\":\"postgresql://b@/\"}\n"
    );
    let done = lakekey(&["conninfo", "parse", "--lines", "host=a"], "");
    assert_eq!(done.status.code(), Some(2));
}

#[test]
fn every_form_is_written_without_the_password_unless_asked() {
    let string = format!("host=h port=1 user=u password={SECRET} dbname=d");
    for (form, wanted) in [
        ("uri", "postgresql://u@h:1/d\n"),
        ("keyword", "host=h port=1 user=u dbname=d\n"),
        ("jdbc", "jdbc:postgresql://h:1/d?user=u\n"),
        ("sqlalchemy", "postgresql+psycopg://u@h:1/d\n"),
        (
            "env",
            "export PGHOST='h'\nexport PGPORT='1'\nexport PGUSER='u'\nexport PGDATABASE='d'\n",
        ),
        (
            "dotenv",
            "PGHOST='h'\nPGPORT='1'\nPGUSER='u'\nPGDATABASE='d'\n",
        ),
        (
            "json",
            "{\"dbname\":\"d\",\"host\":\"h\",\"port\":\"1\",\"user\":\"u\"}\n",
        ),
    ] {
        let done = lakekey(&["conninfo", "convert", "--to", form, &string], "");
        assert_eq!(
            (done.status.code(), text(&done.stdout)),
            (Some(0), wanted),
            "{form}"
        );
        let done = lakekey(
            &["conninfo", "convert", "--to", form, "--with-token", "-"],
            &string,
        );
        assert!(text(&done.stdout).contains(SECRET), "{form}");
    }
    let done = lakekey(&["conninfo", "convert", "--to", "jdbc", "host=/run/pg"], "");
    assert_eq!(done.status.code(), Some(2));
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lakekey"))
        .args(["conninfo", "parse", "--lines", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    // The child may end before it has read all of it.
    let _ = child
        .stdin
        .take()
        .unwrap()
        .write_all("host=a\n".repeat(1000).as_bytes());
    let done = child.wait_with_output().unwrap();
    assert_eq!((done.status.code(), text(&done.stderr)), (Some(0), ""));
}

#[test]
fn every_command_shows_examples_and_wrong_usage_ends_with_2() {
    for command in [
        &["token", "--help"][..],
        &["url", "--help"],
        &["conninfo", "parse", "--help"],
        &["conninfo", "convert", "--help"],
    ] {
        let done = lakekey(command, "");
        assert_eq!(done.status.code(), Some(0));
        assert!(text(&done.stdout).contains("Examples:\n  "), "{command:?}");
    }
    let help = lakekey(&["--help"], "");
    assert!(text(&help.stdout).contains("Exit codes:"));
    for wrong in [
        &["url", "--sslmode", "sometimes"][..],
        &["nonsense"],
        &["token", "--timeout", "soon"],
    ] {
        assert_eq!(lakekey(wrong, "").status.code(), Some(2), "{wrong:?}");
    }
}
