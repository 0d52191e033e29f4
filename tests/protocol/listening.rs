//! Binding: stale sockets are replaced, live ones are not, mode and group are set.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use perso_milter::milter::listen::{BindError, Group, ListenAddress, bind};

use super::harness::options;

fn scratch() -> (tempfile::TempDir, PathBuf, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("m.sock");
    let address = format!("unix:{}", path.display());
    (directory, path, address)
}

#[test]
fn a_stale_socket_is_replaced() {
    let (_directory, path, address) = scratch();
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "std leaves it behind");
    let listener = bind(&options(&address)).unwrap();
    assert!(std::os::unix::net::UnixStream::connect(&path).is_ok());
    drop(listener);
    assert!(!path.exists());
}

#[test]
fn a_live_socket_is_not() {
    let (_directory, path, address) = scratch();
    let _live = UnixListener::bind(&path).unwrap();
    let error = bind(&options(&address)).unwrap_err();
    assert!(matches!(error, BindError::InUse(_)), "{error}");
    assert!(error.to_string().contains("stop it, or choose another address"));
    assert!(std::os::unix::net::UnixStream::connect(&path).is_ok(), "it is unharmed");
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let (_directory, path, address) = scratch();
    fs::write(&path, "precious").unwrap();
    let error = bind(&options(&address)).unwrap_err();
    assert!(matches!(error, BindError::NotASocket(_)), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");

    let (_directory, path, address) = scratch();
    std::os::unix::fs::symlink("/nonexistent", &path).unwrap();
    assert!(matches!(bind(&options(&address)), Err(BindError::NotASocket(_))));
}

#[test]
fn a_file_that_replaced_ours_stays() {
    let (_directory, path, address) = scratch();
    let listener = bind(&options(&address)).unwrap();
    fs::rename(&path, path.with_extension("old")).unwrap();
    fs::write(&path, "another's").unwrap();
    drop(listener);
    assert!(path.exists());
}

#[test]
fn mode_and_group_are_set() {
    let own_group = fs::metadata(tempfile::tempdir().unwrap().path()).unwrap().gid();
    let name = nix::unistd::Group::from_gid(own_group.into()).unwrap().unwrap().name;
    let cases = [
        (None, None, 0o660),
        (Some(0o600), Some(Group::Id(own_group)), 0o600),
        (Some(0o666), Some(Group::Name(name)), 0o666),
    ];
    for (mode, group, expected) in cases {
        let (_directory, path, address) = scratch();
        let mut options = options(&address);
        options.mode = mode;
        options.group = group;
        let _listener = bind(&options).unwrap();
        let found = fs::metadata(&path).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, expected);
        assert_eq!(found.gid(), own_group);
    }
}

#[test]
fn a_failure_leaves_no_socket_and_names_the_remedy() {
    let (_directory, path, address) = scratch();
    let mut options = options(&address);
    options.group = Some(Group::Name("no-such-group-here".to_owned()));
    let error = bind(&options).unwrap_err().to_string();
    assert!(error.contains("no group `no-such-group-here`"), "{error}");
    assert!(!path.exists());

    let error = bind(&super::harness::options("unix:/nonexistent/m.sock")).unwrap_err();
    assert!(error.to_string().contains("does its directory exist"), "{error}");
}

#[test]
fn a_port_of_the_system_s_choice_is_told() {
    for text in ["inet:0@127.0.0.1", "inet6:0@::1", "inet:0@localhost"] {
        let listener = bind(&options(text)).unwrap();
        let (ListenAddress::Inet { port, .. } | ListenAddress::Inet6 { port, .. }) = listener.local_address() else {
            panic!("a port");
        };
        assert_ne!(*port, 0);
        let again = bind(&options(&listener.local_address().to_string())).unwrap_err();
        assert!(matches!(again, BindError::InUse(_)), "{again}");
    }
}

#[test]
fn one_port_serves_both_families() {
    let v4 = bind(&options("inet:0")).unwrap();
    let ListenAddress::Inet { port, .. } = v4.local_address() else {
        panic!("a port");
    };
    bind(&options(&format!("inet6:{port}"))).unwrap();
}
