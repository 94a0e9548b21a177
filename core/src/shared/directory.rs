//! A directory whose files nobody but this user, and root, can read, replace or plant.
//!
//! Nothing is believed of a path: whatever is opened is looked at through its descriptor, at each open. The directory must
//! be a directory of this user with mode 0700, each file a regular one of this user with mode 0600 and one name. Symbolic
//! links are not followed at the last step, named pipes do not make anybody wait, and files are replaced whole.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use rustix::fs::{self, AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::code::Code;
use crate::error::{Error, Result};
use crate::secret::{SecretBytes, secret_bytes};

const PRIVATE_DIRECTORY: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;
/// What no file that a process of ours makes needs, to see whether the file system keeps what it is told.
const PROBE: u32 = 0o640;
const PERMISSIONS: u32 = 0o7777;
/// A file of ours is a few kilobytes.
const LARGEST: usize = 64 * 1024;
/// How often a file is looked for that others replace meanwhile.
const TRIES: u32 = 5;
/// What is left of a process that was killed while it wrote ends with this.
const UNFINISHED: &str = ".new";
const LOCK: &str = ".lock";

/// Names the boot, where the system does.
pub(super) fn boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.map(|id| id.trim().to_owned()).unwrap_or_default()
}

/// The directory, not yet looked at.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Whether what is above it must be this user's alone, as a runtime directory is.
    private_parent: bool,
}

/// What a name stands for.
pub(super) enum Found {
    Nothing,
    /// Something that no process of ours made: why.
    Foreign(Error),
    Text(SecretBytes),
}

/// A lock that ends when this is dropped, or with the process.
#[derive(Debug)]
pub(crate) struct Locked(OwnedFd);

impl Drop for Locked {
    fn drop(&mut self) {
        // Closing would not do: a child that was forked meanwhile has the descriptor too.
        let _ = fs::flock(&self.0, FlockOperation::Unlock);
    }
}

impl Directory {
    pub(super) fn new(path: PathBuf, private_parent: bool) -> Directory {
        Directory {
            path,
            private_parent,
        }
    }

    /// What the file holds.
    pub(super) fn read(&self, name: &str) -> Result<Found> {
        let directory = self.open()?;
        for _ in 0..TRIES {
            let file = match open_file(&directory, name, OFlags::RDONLY) {
                Ok(file) => file,
                Err(Errno::NOENT) => return Ok(Found::Nothing),
                Err(errno) => return Ok(Found::Foreign(self.link_or(name, errno))),
            };
            let stat = fs::fstat(&file).map_err(|errno| self.failed(name, errno))?;
            // Somebody has just put another file in its place.
            if stat.st_nlink == 0 {
                continue;
            }
            if let Err(foreign) = self.check_file(name, &stat) {
                return Ok(Found::Foreign(foreign));
            }
            let mut text = secret_bytes(LARGEST + 1);
            let most = u64::try_from(LARGEST + 1).unwrap_or(u64::MAX);
            let read = File::from(file).take(most).read_to_end(&mut text);
            read.map_err(|cause| self.unusable(&format!("{name} cannot be read: {cause}")))?;
            return Ok(Found::Text(text));
        }
        Ok(Found::Nothing)
    }

    /// Puts a file with this content in place of whatever has the name.
    pub(super) fn replace(&self, name: &str, content: &[u8]) -> Result<()> {
        let directory = self.open()?;
        let mut random = [0_u8; 8];
        SystemRandom::new()
            .fill(&mut random)
            .map_err(|_| self.unusable("the system gives no random numbers"))?;
        let new = format!("{name}-{:016x}{UNFINISHED}", u64::from_ne_bytes(random));
        let written = self.write(&directory, &new, content).and_then(|()| {
            fs::renameat(&directory, &new, &directory, name)
                .map_err(|errno| self.failed(name, errno))
        });
        if written.is_err() {
            let _ = fs::unlinkat(&directory, &new, AtFlags::empty());
        }
        written
    }

    fn write(&self, directory: &OwnedFd, name: &str, content: &[u8]) -> Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let file = open_file(directory, name, flags).map_err(|errno| self.failed(name, errno))?;
        if !keeps_modes(&file) {
            return Err(self
                .unusable("its file system does not keep who may read a file")
                .with_hint("Use a directory on tmpfs, ext4, xfs or another file system with Unix permissions"));
        }
        let stat = fs::fstat(&file).map_err(|errno| self.failed(name, errno))?;
        self.check_file(name, &stat)?;
        File::from(file)
            .write_all(content)
            .map_err(|cause| self.unusable(&format!("{name} cannot be written: {cause}")))
    }

    /// Removes a file, if it is there.
    pub(super) fn remove(&self, name: &str) -> Result<()> {
        let directory = self.open()?;
        match fs::unlinkat(&directory, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.failed(name, errno)),
        }
    }

    /// Takes the lock that belongs to a file, unless somebody has it. It is never waited for in here.
    pub(super) fn try_lock(&self, name: &str) -> Result<Option<Locked>> {
        let directory = self.open()?;
        let name = format!("{name}{LOCK}");
        for _ in 0..TRIES {
            let opened = open_file(&directory, &name, OFlags::RDWR | OFlags::CREATE)
                .map_err(|errno| self.link_or(&name, errno))
                .and_then(|file| {
                    let stat = fs::fstat(&file).map_err(|errno| self.failed(&name, errno))?;
                    Ok((file, stat))
                });
            let (file, stat) = match opened {
                Ok((_, stat)) if stat.st_nlink == 0 => continue,
                Ok((file, stat)) if self.check_file(&name, &stat).is_ok() => (file, stat),
                // Nobody of ours waits for it: it goes, and the next look makes one.
                Ok(_) | Err(_) => {
                    fs::unlinkat(&directory, &name, AtFlags::empty())
                        .map_err(|errno| self.failed(&name, errno))?;
                    continue;
                }
            };
            match fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK | Errno::INTR) => return Ok(None),
                Err(errno) => return Err(self.failed(&name, errno)),
            }
            // A lock on a file that somebody has removed keeps nobody out.
            let locked = Locked(file);
            let there = fs::statat(&directory, &*name, AtFlags::SYMLINK_NOFOLLOW);
            if there.is_ok_and(|there| there.st_ino == stat.st_ino && there.st_dev == stat.st_dev) {
                return Ok(Some(locked));
            }
        }
        Ok(None)
    }

    /// Removes files that are older than `beside` by `age`: their content has ended. Locks stay, for somebody may hold
    /// them.
    pub(super) fn sweep(&self, age: Duration, beside: &str) -> Result<()> {
        let directory = self.open()?;
        let failed = |errno| self.failed("the directory", errno);
        let written = |name: &str| {
            let stat = fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
            u64::try_from(stat.st_mtime).ok()
        };
        let limit = written(beside).unwrap_or(0).saturating_sub(age.as_secs());
        for entry in Dir::read_from(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if name.ends_with(LOCK) || !super::exchange::is_ours(name) {
                continue;
            }
            if written(name).is_some_and(|at| at < limit) {
                let _ = fs::unlinkat(&directory, name, AtFlags::empty());
            }
        }
        Ok(())
    }

    /// Opens the directory, making it if it is missing, and looks at what was opened.
    fn open(&self) -> Result<OwnedFd> {
        self.check_parent()?;
        match fs::mkdir(&self.path, Mode::from_raw_mode(PRIVATE_DIRECTORY)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(self.unusable(&format!("it cannot be made: {errno}"))),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = fs::open(&self.path, flags, Mode::empty()).map_err(|errno| {
            self.unusable(&match errno {
                Errno::LOOP | Errno::NOTDIR | Errno::MLINK => {
                    "it is a symbolic link, or no directory".to_owned()
                }
                errno => format!("it cannot be opened: {errno}"),
            })
        })?;
        let stat = fs::fstat(&directory).map_err(|errno| self.failed("the directory", errno))?;
        if let Some(what) = not_private(&stat, FileType::Directory, PRIVATE_DIRECTORY) {
            return Err(self.unusable(&format!("it {what}")));
        }
        if is_remote(&directory) {
            return Err(self
                .unusable("its file system is shared with other machines, where locks and modes mean less")
                .with_hint("Use a directory on this machine, such as one on tmpfs"));
        }
        Ok(directory)
    }

    /// Nobody else may rename the directory away.
    fn check_parent(&self) -> Result<()> {
        let parent = self.path.parent().unwrap_or(Path::new("/"));
        let stat = fs::statat(CWD, parent, AtFlags::empty()).map_err(|errno| {
            self.unusable(&format!("{} cannot be read: {errno}", parent.display()))
        })?;
        let mode = permissions(&stat);
        if self.private_parent {
            if let Some(what) = not_private(&stat, FileType::Directory, PRIVATE_DIRECTORY) {
                return Err(self.unusable(&format!("{} {what}", parent.display())));
            }
        } else if mode & 0o022 != 0 && mode & 0o1000 == 0 {
            let parent = parent.display();
            return Err(self.unusable(&format!("others may rename what is in {parent}")));
        }
        Ok(())
    }

    fn check_file(&self, name: &str, stat: &Stat) -> Result<()> {
        if let Some(what) = not_private(stat, FileType::RegularFile, PRIVATE_FILE) {
            return Err(self.unusable(&format!("{name} in it {what}")));
        }
        if stat.st_nlink != 1 {
            return Err(self.unusable(&format!("{name} in it has more than one name")));
        }
        Ok(())
    }

    fn link_or(&self, name: &str, errno: Errno) -> Error {
        match errno {
            Errno::LOOP | Errno::MLINK => {
                self.unusable(&format!("{name} in it is a symbolic link"))
            }
            errno => self.failed(name, errno),
        }
    }

    fn failed(&self, name: &str, errno: Errno) -> Error {
        self.unusable(&format!("{name} in it cannot be used: {errno}"))
    }

    fn unusable(&self, why: &str) -> Error {
        Error::new(
            Code::SharedDirectory,
            format!("credentials cannot be shared in {}: {why}", self.path.display()),
        )
        .with_hint("Give a directory with mode 0700 that belongs to the user of this process and in which nothing else lies")
    }
}

fn open_file(directory: &OwnedFd, name: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    fs::openat(directory, name, flags, Mode::from_raw_mode(PRIVATE_FILE))
}

fn permissions(stat: &Stat) -> u32 {
    Mode::from_raw_mode(stat.st_mode).as_raw_mode() & PERMISSIONS
}

/// What is wrong with something that should be this user's alone. A group that a directory gives on to its files changes
/// nothing about who may read them.
fn not_private(stat: &Stat, kind: FileType, mode: u32) -> Option<String> {
    if FileType::from_raw_mode(stat.st_mode) != kind {
        return Some("is neither a directory nor a plain file, as it should be".to_owned());
    }
    let own = rustix::process::geteuid().as_raw();
    if stat.st_uid != own {
        let owner = stat.st_uid;
        return Some(format!(
            "belongs to the user {owner}, and this is the user {own}"
        ));
    }
    let is = permissions(stat) & !0o2000;
    (is != mode).then(|| format!("has the mode {is:04o} instead of {mode:04o}"))
}

/// Whether a file has the permissions that it is given. Leaves it with those of a private file.
fn keeps_modes(file: impl AsFd) -> bool {
    [PROBE, PRIVATE_FILE].iter().all(|mode| {
        fs::fchmod(&file, Mode::from_raw_mode(*mode)).is_ok()
            && fs::fstat(&file).is_ok_and(|stat| permissions(&stat) == *mode)
    })
}

/// Whether the directory lies on another machine, or on a file system made by a program.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_remote(directory: &OwnedFd) -> bool {
    /// NFS, CIFS, SMB, SMB2, AFS, Ceph, Coda, 9p, FUSE, Lustre, GFS2, OCFS2, GPFS.
    const REMOTE: [u32; 13] = [
        0x6969,
        0xff53_4d42,
        0x517b,
        0xfe53_4d42,
        0x5346_414f,
        0x00c3_6400,
        0x7375_7245,
        0x0102_1997,
        0x6573_5546,
        0x0bd0_0bd0,
        0x0116_1970,
        0x7461_636f,
        0x4750_4653,
    ];
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the numbers have 32 bits, in a field that is wider on some systems and signed on most"
    )]
    fs::fstatfs(directory).is_ok_and(|found| REMOTE.contains(&(found.f_type as u32)))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_remote(_: &OwnedFd) -> bool {
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{keeps_modes, permissions};

    #[test]
    fn a_file_system_that_does_not_keep_modes_is_known() {
        let file = tempfile::tempfile().unwrap();
        assert!(keeps_modes(&file));
        assert_eq!(permissions(&rustix::fs::fstat(&file).unwrap()), 0o600);
        // Of this user, and with a mode of its own that cannot be changed.
        #[cfg(target_os = "linux")]
        assert!(!keeps_modes(
            std::fs::File::open("/proc/self/comm").unwrap()
        ));
    }
}
