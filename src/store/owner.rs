//! Whose the store's files are.
//!
//! An administrator runs `perso-milter org add …` as root, the daemon runs under an account of its own. What root creates
//! in that account's directory is given to it, or the daemon could not open its own store.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

const ROOT: u32 = 0;
/// The permissions of the group and of everybody else.
const GROUP_AND_OTHERS: u32 = 0o077;

/// Who has a store besides the owner of its files. Its directory says so: one that its group may write in, and nobody
/// else, is for two services under two accounts, the relay and the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Nobody.
    Alone,
    /// The group of the directory.
    Group,
}

impl Sharing {
    /// As the directory of a store's file says.
    pub fn of(path: &Path) -> Self {
        let mode = fs::metadata(directory(path)).map_or(0, |meta| meta.mode());
        if mode & GROUP_AND_OTHERS == 0o070 { Self::Group } else { Self::Alone }
    }

    /// Permissions of the database.
    pub fn database_mode(self) -> u32 {
        match self {
            Self::Alone => 0o600,
            Self::Group => 0o660,
        }
    }

    /// Permissions of the match key. The seal key is its owner's in any case.
    pub fn match_key_mode(self) -> u32 {
        match self {
            Self::Alone => 0o600,
            Self::Group => 0o640,
        }
    }

    /// Whether permissions give more away than `mode` does.
    pub fn is_too_open(found: u32, mode: u32) -> bool {
        found & GROUP_AND_OTHERS & !mode != 0
    }
}

/// The directory of a file; that of a bare name is the working directory.
pub fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Gives a file that root has just created to the owner and group of its directory.
///
/// # Errors
/// As of chown(2).
pub fn inherit(path: &Path) -> io::Result<()> {
    let (file, directory) = (fs::metadata(path)?, fs::metadata(directory(path))?);
    if file.uid() == ROOT && directory.uid() != ROOT {
        chown(path, Some(directory.uid()), Some(directory.gid()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_for_a_group_is_one_that_nobody_else_enters() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join("perso-milter.db");
        for (mode, sharing) in [
            (0o700, Sharing::Alone),
            (0o755, Sharing::Alone),
            (0o750, Sharing::Alone),
            (0o775, Sharing::Alone),
            (0o770, Sharing::Group),
            (0o2770, Sharing::Group),
        ] {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).expect("changed");
            assert_eq!(Sharing::of(&file), sharing, "{mode:o}");
        }
        let mode = Sharing::Group.match_key_mode();
        assert!(!Sharing::is_too_open(0o100640, mode) && !Sharing::is_too_open(0o100600, mode));
        assert!(Sharing::is_too_open(0o100660, mode) && Sharing::is_too_open(0o100644, mode));
        assert!(Sharing::is_too_open(0o100640, Sharing::Alone.match_key_mode()));
    }

    #[test]
    fn a_file_of_root_goes_to_the_owner_of_its_directory() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join("match.key");
        fs::write(&file, "x").expect("written");
        // Only root may give files away; anybody else's stay their own.
        if fs::metadata(&file).expect("there").uid() == ROOT {
            chown(folder.path(), Some(65_534), Some(65_534)).expect("root");
        }
        inherit(&file).expect("given");
        let owner = |path: &Path| fs::metadata(path).expect("there").uid();
        assert_eq!(owner(&file), owner(folder.path()));
    }
}
