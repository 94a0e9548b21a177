//! What every exported function of a binding keeps: a wait lets the host language go on. A Python function that waits
//! with the interpreter lock held stops every other thread of the process, for as long as a hung network takes.

use super::none;
use super::sources::{self, Source};

/// How each binding waits, and what must stand around it.
struct Rule {
    files: &'static str,
    waits: &'static [&'static str],
    needs: &'static str,
    reason: &'static str,
}

const RULES: &[Rule] = &[Rule {
    files: "bindings-python/src/",
    waits: &[
        ".wait(",
        ".recv(",
        ".recv_timeout(",
        ".join()",
        "block_on(",
        "thread::sleep(",
    ],
    needs: ".detach(",
    reason: "waits with the GIL held; put the wait into `py.detach(|| ...)`",
}];

fn violations(source: &Source) -> Vec<String> {
    let lines = source.shipped_rust();
    let mut found = Vec::new();
    for rule in RULES
        .iter()
        .filter(|rule| source.path.starts_with(rule.files))
    {
        for function in functions(&lines) {
            let waits = function
                .iter()
                .find(|(_, line)| rule.waits.iter().any(|wait| line.contains(wait)));
            if let Some((number, _)) = waits
                && !function.iter().any(|(_, line)| line.contains(rule.needs))
            {
                found.push(format!("{}:{number}: {}", source.path, rule.reason));
            }
        }
    }
    found
}

/// Functions that Node calls with nothing around them: a panic in one ends the process.
fn unguarded(source: &Source) -> Vec<String> {
    let mut attribute = String::new();
    let mut found = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with("#[napi") {
            line.clone_into(&mut attribute);
        } else if line.starts_with("pub fn ") {
            if !attribute.contains("catch_unwind") {
                found.push(format!(
                    "{}:{}: a panic here ends Node; write #[napi(catch_unwind)]",
                    source.path,
                    index + 1
                ));
            }
            attribute.clear();
        } else if !attribute.is_empty() && !attribute.ends_with(']') {
            attribute.push_str(line);
        }
    }
    found
}

/// Native methods of Java that a panic could leave: that ends the JVM.
fn uncaught(source: &Source) -> Vec<String> {
    let lines = source.shipped_rust();
    let mut found = Vec::new();
    for method in functions(&lines) {
        let exported = method[0].1.contains("extern \"\" fn");
        let guarded = |(_, line): &(usize, String)| {
            ["enter(", "enter::<", "guard("]
                .iter()
                .any(|word| line.contains(word))
        };
        if exported && !method.iter().any(guarded) {
            found.push(format!(
                "{}:{}: a panic here ends the JVM; put the body into `enter`",
                source.path, method[0].0
            ));
        }
    }
    found
}

/// The lines of each function, cut where the next one begins.
fn functions(lines: &[(usize, String)]) -> Vec<&[(usize, String)]> {
    let starts: Vec<usize> = lines
        .iter()
        .enumerate()
        .filter(|(_, (_, line))| {
            let line = line.trim_start();
            [
                "fn ",
                "pub fn ",
                "pub(crate) fn ",
                "pub(super) fn ",
                "async fn ",
                "pub extern ",
            ]
            .iter()
            .any(|start| line.starts_with(start))
        })
        .map(|(index, _)| index)
        .chain([lines.len()])
        .collect();
    starts
        .windows(2)
        .map(|pair| &lines[pair[0]..pair[1]])
        .collect()
}

#[test]
fn no_wait_holds_the_host_language() {
    let sources = sources::rust();
    let waiting = sources.iter().filter(|source| {
        RULES
            .iter()
            .any(|rule| source.path.starts_with(rule.files) && source.text.contains(rule.needs))
    });
    assert!(
        waiting.count() > 0,
        "no binding waits anywhere: the rule looks at the wrong words"
    );
    none(&sources.iter().flat_map(violations).collect::<Vec<_>>());
}

#[test]
fn a_wait_with_the_lock_held_is_found() {
    let path = "bindings-python/src/a.rs";
    let bad = "fn f(py: Python<'_>, call: Call) {\n    call.wait(x)\n}\nfn g(py: Python<'_>) {\n    py.detach(|| call.wait(x))\n}\n";
    assert_eq!(violations(&Source::new(path, bad)).len(), 1);
    assert!(
        violations(&Source::new(
            path,
            "fn f() {\n    py.detach(|| {\n        call.wait(x)\n    })\n}\n"
        ))
        .is_empty()
    );
}

#[test]
fn no_panic_ends_node() {
    let sources = sources::rust();
    let node: Vec<&Source> = sources
        .iter()
        .filter(|source| source.path.starts_with("bindings-node/src/"))
        .collect();
    assert!(
        node.iter()
            .any(|source| source.text.contains("#[napi(catch_unwind)]")),
        "Node calls nothing: the rule looks at the wrong words"
    );
    none(&node.into_iter().flat_map(unguarded).collect::<Vec<_>>());
}

#[test]
fn an_unguarded_function_is_found() {
    let path = "bindings-node/src/a.rs";
    let good = "#[napi(catch_unwind)]\npub fn f() {}\n#[napi(\n    catch_unwind,\n    js_name = \"h\"\n)]\npub fn g() {}\n";
    assert!(unguarded(&Source::new(path, good)).is_empty());
    assert_eq!(
        unguarded(&Source::new(path, "#[napi]\npub fn f() {}\n")).len(),
        1
    );
}

#[test]
fn no_panic_ends_the_jvm() {
    let sources = sources::rust();
    let java: Vec<&Source> = sources
        .iter()
        .filter(|source| source.path.starts_with("bindings-java/src/"))
        .collect();
    let exported = java
        .iter()
        .flat_map(|source| source.rust())
        .filter(|(_, line)| line.contains("pub extern "))
        .count();
    assert!(
        exported > 20,
        "Java calls nothing: the rule looks at the wrong words"
    );
    none(&java.into_iter().flat_map(uncaught).collect::<Vec<_>>());
}

#[test]
fn an_uncaught_native_method_is_found() {
    let path = "bindings-java/src/a.rs";
    let good = "pub extern \"system\" fn f() {\n    enter(env, |_| Ok(()))\n}\n";
    let bad = "pub extern \"system\" fn g() {\n    work()\n}\n";
    assert_eq!(
        uncaught(&Source::new(path, &format!("{good}{bad}"))).len(),
        1
    );
}
