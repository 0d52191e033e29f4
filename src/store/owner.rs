//! Whose the store's files are.
//!
//! An administrator runs `perso-milter org add …` as root, the daemon runs under an account of its own. What root creates
//! in that account's directory is given to it, or the daemon could not open its own store.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

const ROOT: u32 = 0;

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
