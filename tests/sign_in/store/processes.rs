//! Several processes at once: no update is lost, no refresh token is used twice, no lock outlives
//! its process.

use mcp_manifold::oauth::{LockKind, Timestamp, Version};

use super::child::{GUARD, Process, Role};
use super::{docs, done, refresh_token, token_server, tokens};

/// A common number of processes: two for each of two windows.
const PROCESSES: usize = 4;

#[tokio::test]
async fn no_update_of_any_process_is_lost() {
    const TIMES: u64 = 25;
    let home = tempfile::tempdir().unwrap();
    // They also race to create the folder and the first record.
    let all: Vec<_> = (0..PROCESSES)
        .map(|_| Process::start(home.path(), Role::Count(TIMES)))
        .collect();
    for mut process in all {
        let ended = process.end();
        assert!(ended.success(), "{}", process.next_line());
    }
    let counted = docs(home.path()).tokens().load().await.unwrap().record;
    let last = PROCESSES as u64 * TIMES - 1;
    // The first record counts from `tokens`.
    let first = tokens("r").expires_at.unwrap().0 + 1;
    assert_eq!(
        counted.unwrap().expires_at,
        Some(Timestamp(first + last)),
        "every one of them counts"
    );
}

#[tokio::test]
async fn ten_expiries_cause_ten_refreshes_in_all_processes() {
    const TIMES: u64 = 10;
    let home = tempfile::tempdir().unwrap();
    let stored = docs(home.path()).tokens();
    let mut first = tokens("r0");
    first.expires_at = Some(Timestamp(1));
    done(stored.replace(Version::NONE, first).await.unwrap());

    let (address, seen) = token_server::start(PROCESSES);
    let all: Vec<_> = (0..PROCESSES)
        .map(|_| Process::start(home.path(), Role::Refresh(TIMES, address)))
        .collect();
    for mut process in all {
        let ended = process.end();
        assert!(ended.success(), "{}", process.next_line());
    }
    let last = stored.load().await.unwrap();
    assert_eq!(refresh_token(&last), format!("r{TIMES}"));
    let seen = seen.lock().unwrap();
    assert_eq!(seen.reused, Vec::<String>::new());
    assert_eq!(seen.renewed, TIMES);
}

#[tokio::test]
async fn lock_of_a_killed_process_is_released() {
    let home = tempfile::tempdir().unwrap();
    let store = docs(home.path());
    let mut holder = Process::start(home.path(), Role::Hold);
    assert_eq!(holder.next_line(), "held");
    assert!(store.try_lock(LockKind::Login).await.unwrap().is_none());

    let mut next = Process::start(home.path(), Role::Hold);
    holder.kill();
    assert_eq!(next.next_line(), "held");
    assert!(store.try_lock(LockKind::Login).await.unwrap().is_none());
    next.kill();
    drop(store.lock(LockKind::Login, GUARD).await.unwrap());
}

#[tokio::test]
async fn process_killed_while_writing_damages_no_file() {
    let home = tempfile::tempdir().unwrap();
    let stored = docs(home.path()).tokens();
    for _ in 0..10 {
        let mut writer = Process::start(home.path(), Role::Write);
        for _ in 0..3 {
            assert_eq!(writer.next_line(), "written");
        }
        writer.kill();
        let seen = stored.load().await.unwrap();
        assert_eq!(refresh_token(&seen), "r");
        done(stored.replace(seen.version, tokens("r")).await.unwrap());
    }
}

#[cfg(unix)]
mod unix {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// This program, to run without root's permissions. As root, runs a copy in a folder that other
    /// users can read.
    fn without_rights(folder: &Path) -> Command {
        const UNPRIVILEGED: u32 = 65534;
        let program = std::env::current_exe().unwrap();
        if fs::metadata(folder).unwrap().uid() != 0 {
            return Command::new(program);
        }
        let copy: PathBuf = folder.join("program");
        fs::copy(program, &copy).unwrap();
        set_mode(&copy, 0o755);
        let mut command = Command::new(copy);
        command.uid(UNPRIVILEGED).gid(UNPRIVILEGED).current_dir("/");
        command
    }

    #[tokio::test]
    async fn unwritable_folder_is_reported_with_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        set_mode(folder.path(), 0o755);
        let home = folder.path().join("home");
        fs::create_dir(&home).unwrap();
        set_mode(&home, 0o555);

        let command = without_rights(folder.path());
        let mut process = Process::start_as(command, &home, Role::ReadAndWrite);
        assert_eq!(process.next_line(), "read false");
        let error = process.next_line().replace(home.to_str().unwrap(), "HOME");
        assert!(process.end().success());
        insta::assert_snapshot!(error, @"cannot create the login folder `HOME`: Permission denied (os error 13); make it writable for you, or set `MCP_MANIFOLD_HOME` to a folder that is");
    }

    #[tokio::test]
    async fn login_is_readable_in_a_read_only_folder() {
        let folder = tempfile::tempdir().unwrap();
        set_mode(folder.path(), 0o755);
        let home = folder.path().join("home");
        let stored = docs(&home).tokens();
        done(stored.replace(Version::NONE, tokens("r")).await.unwrap());
        for path in ["", "oauth", "oauth/docs"] {
            set_mode(&home.join(path), 0o555);
        }
        for file in ["tokens.json", "upstream.json"] {
            set_mode(&home.join("oauth/docs").join(file), 0o444);
        }
        let command = without_rights(folder.path());
        let mut process = Process::start_as(command, &home, Role::ReadAndWrite);
        let mut read = process.next_line();
        while read.contains("others can") {
            read = process.next_line();
        }
        assert_eq!(read, "read true");
        let error = process.next_line();
        assert!(error.starts_with("cannot "), "{error}");
        // Lets the temporary folder be removed.
        for path in ["", "oauth", "oauth/docs"] {
            set_mode(&home.join(path), 0o755);
        }
    }

    #[tokio::test]
    async fn files_are_private_under_a_lax_umask() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        let mut command = Command::new("sh");
        command
            .args(["-c", "umask 0; exec \"$@\"", "sh"])
            .arg(std::env::current_exe().unwrap());
        let mut process = Process::start_as(command, &home, Role::ReadAndWrite);
        assert_eq!(process.next_line(), "read false");
        assert_eq!(process.next_line(), "written true");
        let mode = |path: &str| fs::metadata(home.join(path)).unwrap().mode() & 0o777;
        for file in ["tokens.json", "upstream.json", "write.lock"] {
            assert_eq!(mode(&format!("oauth/docs/{file}")), 0o600, "{file}");
        }
        for path in ["", "oauth", "oauth/docs"] {
            assert_eq!(mode(path), 0o700, "{path}");
        }
    }
}
