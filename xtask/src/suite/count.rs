//! Reads how many tests passed and failed from what the test programs print. The sum in the last line of
//! `cargo xtask test` is made of these numbers and of nothing else.

use std::ops::Add;

/// Tests by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
}

impl Counts {
    /// One failure that is no test's own: a build that broke, a program that died.
    pub(crate) fn failure() -> Counts {
        Counts {
            failed: 1,
            ..Counts::default()
        }
    }
}

impl Add for Counts {
    type Output = Counts;

    fn add(self, other: Counts) -> Counts {
        Counts {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

/// Which program's words to read.
#[derive(Clone, Copy)]
pub(crate) enum Reader {
    /// `test result: ok. 3 passed; 0 failed; 1 ignored; ...`, once per test binary.
    Libtest,
    /// `== 3 passed, 1 failed, 2 errors in 4.2s ==`, the last such line.
    Pytest,
    /// `# pass 3` and `# fail 0`, in TAP form.
    Node,
    /// `Tests run: 12, Failures: 1, Errors: 0, Skipped: 2`, the last line of that form that is no single class's. What
    /// `-Xcheck:jni` finds is no test's failure to Maven; here it counts as one.
    Surefire,
}

/// How the JVM tells of a native method that breaks the rules, or of a crash; and how Maven tells that a JVM said something
/// past Java, which it puts into a file.
const JNI_TROUBLE: &[&str] = &[
    "Corrupted channel by directly writing to native stream",
    "WARNING in native method",
    "FATAL ERROR in native method",
    "WARNING: JNI ",
    "A fatal error has been detected by the Java Runtime Environment",
];

impl Reader {
    /// The counts in a program's whole output.
    pub(crate) fn read(self, text: &str) -> Counts {
        match self {
            Reader::Libtest => text
                .lines()
                .filter_map(|line| line.trim().strip_prefix("test result: "))
                .map(numbered)
                .fold(Counts::default(), Add::add),
            Reader::Pytest => text
                .lines()
                .rev()
                .find(|line| {
                    line.starts_with("==") && line.contains(" in ") || line.contains("no tests ran")
                })
                .map(numbered)
                .unwrap_or_default(),
            Reader::Node => {
                let value = |name: &str| {
                    text.lines()
                        .filter_map(|line| line.trim().strip_prefix(name))
                        .filter_map(|rest| rest.trim().parse::<u32>().ok())
                        .sum()
                };
                Counts {
                    passed: value("# pass "),
                    failed: value("# fail ") + value("# cancelled "),
                    skipped: value("# skipped ") + value("# todo "),
                }
            }
            Reader::Surefire => {
                let sum = text
                    .lines()
                    .rev()
                    .find(|line| line.contains("Tests run: ") && !line.contains("Time elapsed"));
                let value = |name: &str| {
                    sum.and_then(|line| line.split_once(name))
                        .and_then(|(_, rest)| rest.split([',', ' ']).next()?.parse::<u32>().ok())
                        .unwrap_or_default()
                };
                let (failed, skipped) =
                    (value("Failures: ") + value("Errors: "), value("Skipped: "));
                let unsound = text
                    .lines()
                    .filter(|line| JNI_TROUBLE.iter().any(|words| line.contains(words)))
                    .count();
                Counts {
                    passed: value("Tests run: ").saturating_sub(failed + skipped),
                    failed: failed + u32::try_from(unsound).unwrap_or(u32::MAX),
                    skipped,
                }
            }
        }
    }
}

/// Reads `NUMBER WORD` pairs.
fn numbered(line: &str) -> Counts {
    let words: Vec<&str> = line
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let mut counts = Counts::default();
    for pair in words.windows(2) {
        let Ok(number) = pair[0].parse::<u32>() else {
            continue;
        };
        match pair[1] {
            "passed" | "xpassed" => counts.passed += number,
            "failed" | "error" | "errors" => counts.failed += number,
            "ignored" | "skipped" | "xfailed" => counts.skipped += number,
            _ => {}
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::{Counts, Reader};

    #[test]
    fn libtest_results_are_summed_over_the_binaries() {
        let text = "running 2 tests\n\
            test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
            test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 4 filtered out; finished in 0.10s\n";
        assert_eq!(
            Reader::Libtest.read(text),
            Counts {
                passed: 5,
                failed: 1,
                skipped: 1
            }
        );
    }

    #[test]
    fn pytest_errors_count_as_failures() {
        let text = "tests/test_a.py::x PASSED\n==== FAILURES ====\n\
            ========= 1 failed, 12 passed, 2 skipped, 4 warnings, 3 errors in 5.20s =========\n";
        assert_eq!(
            Reader::Pytest.read(text),
            Counts {
                passed: 12,
                failed: 4,
                skipped: 2
            }
        );
        assert_eq!(
            Reader::Pytest.read("==== no tests ran in 0.01s ====\n"),
            Counts::default()
        );
    }

    #[test]
    fn node_counts_cancelled_tests_as_failures() {
        let text =
            "# tests 4\n# suites 0\n# pass 2\n# fail 1\n# cancelled 1\n# skipped 0\n# todo 0\n";
        assert_eq!(
            Reader::Node.read(text),
            Counts {
                passed: 2,
                failed: 2,
                skipped: 0
            }
        );
    }

    #[test]
    fn surefire_errors_and_what_the_jvm_says_of_native_code_count_as_failures() {
        let text = "[INFO] Tests run: 4, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 1.4 s -- in io.lakekey.ClientTest\n\
            WARNING in native method: JNI call made without checking exceptions\n\
            [WARNING] Corrupted channel by directly writing to native stream in forked JVM 1. See the dump file\n\
            [ERROR] Tests run: 12, Failures: 1, Errors: 2, Skipped: 3\n";
        assert_eq!(
            Reader::Surefire.read(text),
            Counts {
                passed: 6,
                failed: 5,
                skipped: 3
            }
        );
    }

    #[test]
    fn output_without_a_result_counts_nothing() {
        for reader in [
            Reader::Libtest,
            Reader::Pytest,
            Reader::Node,
            Reader::Surefire,
        ] {
            assert_eq!(
                reader.read("error: could not compile `lakekey`\n"),
                Counts::default()
            );
        }
    }
}
