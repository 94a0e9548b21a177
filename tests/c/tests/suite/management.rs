//! Every method of the management API through `lk_call`, by the calls that all languages make.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use lakekey_c_tests::root;
use serde_json::{Value, json};

use crate::build::{Build, compile, program, scratch};
use crate::world::World;

/// What stands at a path such as `status.current_state` or `schedule.0.hour`.
fn at<'a>(answer: &'a Value, path: &str) -> &'a Value {
    path.split('.')
        .fold(answer, |value, part| match part.parse::<usize>() {
            Ok(index) => &value[index],
            Err(_) => &value[part],
        })
}

fn judge(step: &Value, said: &str) {
    let method = &step["args"]["method"];
    if let Some(error) = step.get("error") {
        let mut parts = said
            .strip_prefix('!')
            .unwrap_or_else(|| panic!("{method}: {said}"))
            .splitn(3, '\t');
        assert_eq!(parts.next(), error["slug"].as_str(), "{method}: {said}");
        assert_eq!(
            parts.next(),
            Some(error["api_code"].as_str().unwrap_or_default()),
            "{method}: {said}"
        );
        let words = error.get("message").unwrap_or(&error["hint"]);
        let words = words[0].as_str().unwrap();
        assert!(parts.next().unwrap().contains(words), "{method}: {said}");
        return;
    }
    let answer: Value =
        serde_json::from_str(said).unwrap_or_else(|error| panic!("{method}: {error}: {said}"));
    for (path, value) in step["expect"].as_object().into_iter().flatten() {
        let found = match path.strip_suffix(".length") {
            Some(list) => json!(at(&answer, list).as_array().map(Vec::len)),
            None => at(&answer, path).clone(),
        };
        assert_eq!(found, *value, "{method} {path}: {said}");
    }
}

#[test]
fn every_method_of_the_management_api() {
    let corpus = root().join("tests/conformance/cases/management.json");
    let corpus: Value = serde_json::from_str(&std::fs::read_to_string(corpus).unwrap()).unwrap();
    let (first, steps) = corpus["cases"][0]["steps"]
        .as_array()
        .unwrap()
        .split_first()
        .unwrap();
    assert!(steps.len() > 50);
    let (folder, world) = (scratch(), World::start(true, None));
    world.admin("/sources", &first["args"]["body"]);
    let built = compile(&program("calls.c"), Build::Sanitized, &[], folder.path());
    let mut child = world
        .command(built)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ask = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    for step in steps {
        let call = &step["args"];
        let wait = if call["wait"] == true { "wait" } else { "no" };
        writeln!(
            ask,
            "{}\n{wait}\n{}",
            call["method"].as_str().unwrap(),
            call["arguments"]
        )
        .unwrap();
        judge(step, &answers.next().expect("the program ended").unwrap());
    }
    world.admin("/operations", &json!({"delay_s": 3600}));
    let long = json!({"parent": "projects/emulator", "branch_id": "long", "branch": {"spec": {"no_expiry": true}}});
    writeln!(ask, "create_branch\nuntil told\n{long}").unwrap();
    let said = answers.next().expect("the program ended").unwrap();
    assert!(said.starts_with("!CANCELLED\t"), "{said}");
    drop(ask);
    assert!(child.wait().unwrap().success());
}
