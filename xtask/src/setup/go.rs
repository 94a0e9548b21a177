//! Go, with its modules and its build cache below `target/`: nothing that is fetched or built lands in the user's home.

use std::process::Command;

use crate::repo::Repo;

/// The program `go`, which takes what `go.mod` and `go.sum` say and nothing newer.
pub(crate) fn command(repo: &Repo) -> Command {
    let mut go = Command::new("go");
    go.env("GOPATH", repo.target("go"))
        .env("GOMODCACHE", repo.target("go/modules"))
        .env("GOCACHE", repo.target("go/cache"))
        // Another release than the machine's would be fetched in silence.
        .env("GOTOOLCHAIN", "local")
        // Without the first, `target/` could not be removed; without the last, a checkout without git could not be built.
        .env("GOFLAGS", "-modcacherw -mod=readonly -buildvcs=false");
    go
}
