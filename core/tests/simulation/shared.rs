//! Processes of one user that share credentials: each is a client with a store of its own, on one directory.
//!
//! Locks are between open files and not between processes, so that all of it can be played in one.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lakekey::clock::{Clock, ManualClock};
use lakekey::config::{Environment, Settings};
use lakekey::credential::Store;
use lakekey::jitter::FixedDice;
use lakekey::{Client, ClientOptions, Code, ConnectRequest, Secret, SharedCredentials};

use crate::world::{HOST, HOUR, Mood, USER, World, settle};

/// A directory as a login makes it, and the one in it that lakekey makes.
struct Place {
    _temporary: tempfile::TempDir,
    path: PathBuf,
}

fn place() -> Place {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("lakekey");
    Place {
        _temporary: temporary,
        path,
    }
}

impl Place {
    fn option(&self, required: bool) -> SharedCredentials {
        SharedCredentials::On {
            directory: Some(self.path.clone()),
            required,
        }
    }

    /// The credentials, without their locks.
    fn credentials(&self) -> Vec<String> {
        let names = self.names("credential-").into_iter();
        names.filter(|name| !is_lock(name)).collect()
    }

    /// The file of the only credential.
    fn file(&self) -> PathBuf {
        let files = self.credentials();
        assert_eq!(files.len(), 1, "{files:?}");
        self.path.join(&files[0])
    }

    fn names(&self, start: &str) -> Vec<String> {
        let entries = fs::read_dir(&self.path).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with(start)).collect()
    }
}

fn is_lock(name: &str) -> bool {
    name.contains(".lock")
}

fn options(world: &World, place: &Place) -> ClientOptions {
    ClientOptions {
        shared_credentials: Some(place.option(false)),
        ..world.options()
    }
}

/// Another process.
fn process(world: &World, place: &Place) -> Client {
    Client::new(options(world, place)).unwrap()
}

async fn token(world: &World, client: &Client) -> String {
    let lease = world.get(client).await.unwrap();
    lease.credential.token().expose().to_owned()
}

fn counter(client: &Client, name: &str) -> u64 {
    let counters = client.stats().counters;
    counters.iter().find(|(known, _)| *known == name).unwrap().1
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[tokio::test]
async fn thirty_two_cold_processes_mint_once() {
    let (world, place) = (World::new(HOUR, 1), place());
    world.mood(Mood::Slow(800));
    let clients: Vec<_> = (0..32).map(|_| process(&world, &place)).collect();
    let logins = clients.clone().into_iter().map(|client| {
        tokio::spawn(async move { client.connect_params(&ConnectRequest::default()).await })
    });
    let logins: Vec<_> = logins.collect();
    settle().await;
    world.pass(2_000).await;
    let mut passwords = std::collections::BTreeSet::new();
    for login in logins {
        let params = login.await.unwrap().unwrap().params;
        passwords.insert(params.password().unwrap().expose().to_owned());
    }
    assert_eq!((world.mints(), passwords.len()), (1, 1));
    let taken: u64 = clients.iter().map(|client| counter(client, "taken")).sum();
    assert_eq!(taken, 31);
    assert_eq!((mode(&place.path), mode(&place.file())), (0o700, 0o600));
    assert!(place.names("").iter().all(|name| !name.contains(".new")));
}

#[tokio::test]
async fn for_hours_all_processes_of_a_host_refresh_once_each_time() {
    let (world, place) = (World::new(HOUR, 2), place());
    let clients: Vec<_> = (0..8).map(|_| process(&world, &place)).collect();
    for _ in 0..240 {
        for client in &clients {
            let token = token(&world, client).await;
            assert!(world.accepts(&token));
        }
        world.pass(60_000).await;
    }
    let mints = world.mints();
    assert!((5..=8).contains(&mints), "{mints} mints in four hours");
}

#[tokio::test]
async fn a_holder_that_stops_in_the_middle_keeps_nobody_from_logging_in() {
    let (world, place) = (World::new(HOUR, 3), place());
    world.mood(Mood::Hang);
    let stuck = process(&world, &place);
    let stuck = tokio::spawn(async move { stuck.connect_params(&ConnectRequest::default()).await });
    settle().await;
    world.mood(Mood::Up);
    let other = process(&world, &place);
    let (login, took) = world
        .run(async move { other.connect_params(&ConnectRequest::default()).await })
        .await;
    assert!(login.is_ok() && took <= 3_500, "{took} ms");
    stuck.abort();
}

#[tokio::test]
async fn a_login_while_the_workspace_is_away_has_all_it_needs_from_its_neighbour() {
    for mood in [Mood::Hang, Mood::Refuse, Mood::Status(503, None)] {
        let (world, place) = (World::new(HOUR, 4), place());
        for target in [None, Some("projects/shop/branches/production".to_owned())] {
            world.mood(Mood::Up);
            world.me(Mood::Up);
            let request = ConnectRequest {
                target,
                ..ConnectRequest::default()
            };
            let (first, asked) = (process(&world, &place), request.clone());
            if asked.target.is_none() {
                let made = world
                    .run(async move { first.connect_params(&asked).await })
                    .await;
                made.0.unwrap();
            }
            world.mood(mood.clone());
            world.me(mood.clone());
            world.pass(60_000).await;
            let second = process(&world, &place);
            let named = request.target.is_some();
            let (login, took) = world
                .run(async move { second.connect_params(&request).await })
                .await;
            if named {
                // Which endpoint is meant was never learnt: an error, in the time of the call.
                let error = login.unwrap_err();
                assert!(
                    error.is_retryable() && took <= 10_100,
                    "{error} in {took} ms"
                );
                continue;
            }
            let params = login.unwrap().params;
            assert!(took < 200, "{took} ms with {mood:?}");
            assert_eq!((params.host(), params.user()), (Some(HOST), Some(USER)));
            assert!(world.accepts(params.password().unwrap().expose()));
        }
        assert_eq!(world.mints(), 1);
    }
}

#[tokio::test]
async fn without_a_credential_of_a_neighbour_an_outage_is_an_error_in_time() {
    let (world, place) = (World::new(HOUR, 5), place());
    world.mood(Mood::Hang);
    let clients: Vec<_> = (0..4).map(|_| process(&world, &place)).collect();
    for client in clients {
        let (login, took) = world
            .run(async move { client.connect_params(&ConnectRequest::default()).await })
            .await;
        assert!(
            login.unwrap_err().is_retryable() && took <= 10_100,
            "{took} ms"
        );
    }
}

#[tokio::test]
async fn a_refused_token_earns_one_mint_for_the_whole_host() {
    let (world, place) = (World::new(HOUR, 6), place());
    let clients: Vec<_> = (0..8).map(|_| process(&world, &place)).collect();
    let mut first = String::new();
    for client in &clients {
        first = token(&world, client).await;
    }
    world.pass(60_000).await;
    for client in &clients {
        assert!(client.invalidate(&first), "each had it in memory");
        let lease = world.get(client).await.unwrap();
        assert!(!lease.credential.token().matches(&first));
    }
    assert_eq!(world.mints(), 2);
    let late = process(&world, &place);
    assert_ne!(
        token(&world, &late).await,
        first,
        "it is in no file any more"
    );
}

#[tokio::test]
async fn a_server_that_refuses_good_tokens_does_not_cause_a_mint_for_each_process() {
    let (world, place) = (World::new(HOUR, 7), place());
    let clients: Vec<_> = (0..8).map(|_| process(&world, &place)).collect();
    for _ in 0..20 {
        for client in &clients {
            let token = token(&world, client).await;
            world.pass(5).await;
            client.invalidate(&token);
        }
    }
    assert!(world.mints() <= 2, "{} mints", world.mints());
}

#[tokio::test]
async fn a_taken_token_counts_as_cached_so_that_a_refusal_earns_a_fresh_one() {
    let (world, place) = (World::new(HOUR, 8), place());
    let (one, two) = (process(&world, &place), process(&world, &place));
    assert!(!world.get(&one).await.unwrap().cached);
    assert!(world.get(&two).await.unwrap().cached);
}

/// Puts something else in place of a file; the second path is one to use.
type Plant = fn(&Path, &Path);

#[tokio::test]
async fn what_others_could_have_put_there_is_neither_read_nor_followed() {
    let bad: [(&str, Plant); 6] = [
        ("readable by the group", |file, _| {
            fs::set_permissions(file, Permissions::from_mode(0o640)).unwrap();
        }),
        ("a symbolic link", |file, aside| {
            fs::rename(file, aside).unwrap();
            symlink(aside, file).unwrap();
        }),
        ("a second name", |file, aside| {
            fs::hard_link(file, aside).unwrap();
        }),
        ("a named pipe", |file, _| {
            fs::remove_file(file).unwrap();
            let mode = rustix::fs::Mode::from_raw_mode(0o600);
            rustix::fs::mkfifoat(rustix::fs::CWD, file, mode).unwrap();
        }),
        ("damaged", |file, _| {
            fs::write(file, "{\"version\":1").unwrap();
        }),
        ("of somebody else", |file, _| {
            if rustix::process::geteuid().is_root() {
                std::os::unix::fs::chown(file, Some(65_534), None).unwrap();
            } else {
                eprintln!("SKIPPED: giving a file away needs root");
                fs::remove_file(file).unwrap();
            }
        }),
    ];
    for (what, spoil) in bad {
        let (world, place) = (World::new(HOUR, 9), place());
        let planted = token(&world, &process(&world, &place)).await;
        let file = place.file();
        let aside = place.path.parent().unwrap().join("aside");
        spoil(&file, &aside);
        let second = token(&world, &process(&world, &place)).await;
        assert!(second != planted && world.mints() == 2, "{what}");
        let third = token(&world, &process(&world, &place)).await;
        assert!(
            third == second && world.mints() == 2,
            "{what}: written anew"
        );
        let kind = fs::symlink_metadata(&file).unwrap();
        assert!(kind.is_file() && mode(&file) == 0o600, "{what}");
        if let Ok(text) = fs::read_to_string(&aside) {
            assert!(
                !text.contains(&second),
                "{what}: nothing is written through it"
            );
        }
    }
}

#[tokio::test]
async fn a_lock_that_others_put_there_is_taken_away() {
    let (world, place) = (World::new(HOUR, 10), place());
    token(&world, &process(&world, &place)).await;
    let lock = place
        .names("credential-")
        .into_iter()
        .find(|name| is_lock(name));
    let lock = place.path.join(lock.unwrap());
    let aside = place.path.parent().unwrap().join("aside");
    for plant in [
        |lock: &Path, aside: &Path| symlink(aside, lock).unwrap(),
        |lock: &Path, _: &Path| {
            fs::write(lock, "").unwrap();
            fs::set_permissions(lock, Permissions::from_mode(0o666)).unwrap();
        },
    ] {
        fs::remove_file(&lock).unwrap();
        fs::remove_file(place.file()).unwrap();
        plant(&lock, &aside);
        let (one, two) = (process(&world, &place), process(&world, &place));
        let before = world.mints();
        assert_eq!(token(&world, &one).await, token(&world, &two).await);
        assert_eq!(world.mints(), before + 1);
        assert!(!aside.exists() && mode(&lock) == 0o600);
    }
}

/// Makes the directory unfit; what the error says of it.
type Spoil = (fn(&Path), &'static str);

fn make(path: &Path, mode: u32) {
    fs::create_dir(path).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn give_away(path: &Path) {
    if rustix::process::geteuid().is_root() {
        make(path, 0o700);
        std::os::unix::fs::chown(path, Some(65_534), None).unwrap();
    } else {
        eprintln!("SKIPPED: giving a directory away needs root");
        make(path, 0o701);
    }
}

#[tokio::test]
async fn a_directory_that_is_not_this_users_alone_is_refused() {
    let bad: [Spoil; 7] = [
        (|path| make(path, 0o755), "has the mode 0755"),
        (|path| make(path, 0o1777), "has the mode 1777"),
        (|path| fs::write(path, "").unwrap(), "no directory"),
        (
            |path| symlink(path.parent().unwrap(), path).unwrap(),
            "symbolic link",
        ),
        (
            |path| fs::remove_dir(path.parent().unwrap()).unwrap(),
            "cannot be read",
        ),
        (
            |path| {
                let others = Permissions::from_mode(0o777);
                fs::set_permissions(path.parent().unwrap(), others).unwrap();
            },
            "others may rename",
        ),
        (give_away, ""),
    ];
    for (spoil, said) in bad {
        let (world, place) = (World::new(HOUR, 11), place());
        spoil(&place.path);
        let (one, two) = (process(&world, &place), process(&world, &place));
        assert_ne!(
            token(&world, &one).await,
            token(&world, &two).await,
            "each its own"
        );
        let events = one.recent_events().join("\n");
        assert!(events.contains("SHARED_DIRECTORY"), "{said}: {events}");
        if let Ok(entries) = fs::read_dir(&place.path)
            && fs::symlink_metadata(&place.path).unwrap().is_dir()
        {
            assert_eq!(entries.count(), 0, "{said}: nothing was written");
        }

        let strict = Client::new(ClientOptions {
            shared_credentials: Some(place.option(true)),
            ..world.options()
        });
        let error = world.get(&strict.unwrap()).await.unwrap_err();
        assert_eq!(error.code(), Code::SharedDirectory);
        assert!(
            error.message().contains(said) && error.hint().is_some(),
            "{error}"
        );
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn a_runtime_directory_must_be_private_itself() {
    let world = World::new(HOUR, 12);
    let runtime = tempfile::tempdir().unwrap();
    let on = |text: &str| {
        let path = runtime.path().to_str().unwrap();
        let pairs = [
            ("XDG_RUNTIME_DIR", path),
            ("LAKEKEY_SHARED_CREDENTIALS", text),
        ];
        Client::new(ClientOptions {
            environment: Environment::from_pairs(pairs),
            ..world.options()
        })
    };
    fs::set_permissions(runtime.path(), Permissions::from_mode(0o755)).unwrap();
    let error = world.get(&on("required:on").unwrap()).await.unwrap_err();
    assert_eq!(error.code(), Code::SharedDirectory, "{error}");
    fs::set_permissions(runtime.path(), Permissions::from_mode(0o700)).unwrap();
    let (one, two) = (on("required:on").unwrap(), on("on").unwrap());
    assert_eq!(token(&world, &one).await, token(&world, &two).await);
    assert_eq!(mode(&runtime.path().join("lakekey")), 0o700);
    assert_eq!(on("yes").unwrap_err().code(), Code::ConfigInvalid);
}

#[tokio::test]
async fn identities_and_workspaces_do_not_share_and_users_of_an_app_never_do() {
    let (world, place) = (World::new(HOUR, 13), place());
    let client = |host: &str, pat: &str| {
        Client::new(ClientOptions {
            settings: Settings::new().with("host", host).with("token", pat),
            ..options(&world, &place)
        })
    };
    let app = client("https://workspace.example.com", "dapi-one").unwrap();
    for other in [
        client("https://workspace.example.com", "dapi-two").unwrap(),
        client("https://elsewhere.example.com", "dapi-one").unwrap(),
        app.as_user(&Secret::new("forwarded")).unwrap(),
    ] {
        assert_ne!(token(&world, &app).await, token(&world, &other).await);
    }
    assert_eq!(place.credentials().len(), 3);
}

#[tokio::test]
async fn no_file_name_tells_anything_and_no_workspace_token_is_written() {
    let (world, place) = (World::new(HOUR, 14), place());
    let client = process(&world, &place);
    let login = world.run(async move { client.connect_params(&ConnectRequest::default()).await });
    login.await.0.unwrap();
    for name in place.names("") {
        assert!(!name.contains("shop") && !name.contains("ann"), "{name}");
        let text = fs::read_to_string(place.path.join(&name)).unwrap();
        assert!(!text.contains("dapi-planted"), "{name}");
        assert_eq!(
            text.contains("minted-"),
            name.starts_with("credential-") && !is_lock(&name)
        );
    }
}

#[tokio::test]
async fn a_credential_that_has_ended_or_comes_from_the_future_is_not_taken() {
    let (world, place) = (World::new(HOUR, 15), place());
    world.pass(5_000).await;
    let first = token(&world, &process(&world, &place)).await;
    let earlier = Client::new(ClientOptions {
        store: Store::new(earlier(&world), Arc::new(FixedDice(0.5))),
        ..options(&world, &place)
    });
    assert_ne!(
        token(&world, &earlier.unwrap()).await,
        first,
        "from the future"
    );
    world.pass(HOUR).await;
    let late = token(&world, &process(&world, &place)).await;
    assert!(world.accepts(&late));
}

/// A machine that was booted anew: its boot time begins earlier.
fn earlier(world: &World) -> Arc<dyn Clock> {
    let clock = ManualClock::at(world.clock.now().wall_ms);
    assert!(clock.now().boot_ms <= world.clock.now().boot_ms);
    world.clock.advance(Duration::from_millis(1));
    Arc::new(clock)
}
