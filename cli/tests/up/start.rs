//! What runs, under which names, and what keeps it from running.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use rustix::process::getpgid;

use super::home::{Home, Up, proc, text};

#[test]
fn up_says_what_runs_and_what_to_type_next() {
    let home = Home::new("says");
    let mut up = home.begin_up("home.toml");
    let said = up.lines.until("soquete down").join("\n");
    let folder = home.path.display();
    for expected in [
        "configuration: home.toml (instance home)",
        "led_process, pid ",
        &format!("unix://{folder}/led.sock"),
        "button_process, pid ",
        &format!("  echo \"0\" > {folder}/button"),
        "  soquete press BUTTON ",
        "  soquete toggle LED ",
        "  soquete status ",
    ] {
        assert!(said.contains(expected), "expected {expected:?} in:\n{said}");
    }
    let order = ["up | led_process is ready", "up | button_process is ready", "led_process, pid"];
    let places = order.map(|words| said.find(words).unwrap());
    assert!(places.is_sorted(), "one after the other: {said}");
}

#[test]
fn a_press_lights_the_led_and_the_log_has_their_prefixes() {
    let home = Home::new("press");
    let mut up = home.up();
    home.press();
    let said = up.lines.until("LED Status: On");
    assert!(said.last().unwrap().starts_with("led_process | "), "{said:?}");
    up.lines.until("button_process | BUTTON press: ");
}

#[test]
fn processes_show_under_their_names_in_groups_of_their_own() {
    let home = Home::new("names");
    let _up = home.up();
    for (pid, name) in home.pids().into_iter().zip(["led_process", "button_process"]) {
        assert_eq!(proc(pid, "comm").trim_end(), name, "pgrep -x finds it");
        assert_eq!(proc(pid, "cmdline").split('\0').next(), Some(name), "ps and pidof find it");
        assert_eq!(getpgid(Some(pid)).unwrap(), pid);
    }
}

#[test]
fn processes_may_have_as_many_descriptors_as_the_hard_limit_says() {
    let home = Home::new("limits");
    let _up = home.up();
    let limits = proc(home.pids()[0], "limits");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers: Vec<_> = line.split_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers[0], numbers[1], "{line}");
}

#[test]
fn a_second_up_says_who_runs_it() {
    let home = Home::new("second");
    let up = home.up();
    let second = home.run(&["up", "-c", "home.toml"]);
    let (out, err) = text(&second);
    assert_eq!((second.status.code(), out.as_str()), (Some(1), ""));
    assert!(err.starts_with(&format!("soquete: home runs already: pid {}, since 2", up.child.id())), "{err}");
    assert!(err.contains("`soquete down` stops it"), "{err}");
}

#[test]
fn two_instances_run_side_by_side() {
    let home = Home::new("two");
    let _up = home.up();
    let other = Home::new("two-other");
    home.write("other.toml", &other.seeds("tcp://127.0.0.1:0"));
    let mut second = home.begin_up("other.toml");
    let said = second.lines.until("soquete down").join("\n");
    let named = format!("soquete toggle LED -c {}/other.toml", home.path.display());
    assert!(said.contains(&named), "which one has to be said: {said}");
}

#[test]
fn one_that_cannot_start_says_why_and_stops_the_others() {
    let home = Home::new("taken");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("tcp://{}", taken.local_addr().unwrap());
    let text = home.seeds("tcp://127.0.0.1:0") + &format!("[processes.late]\nserve = [\"{at}\"]\n");
    home.write("home.toml", &text);
    let mut up = home.begin_up("home.toml");
    let said = up.lines.until("up | led_process has stopped: exit code 0").join("\n");
    assert!(said.contains("button_process is ready") && !said.contains("soquete down"), "{said}");
    assert!(!said.contains("address in use"), "it is said once, in the end: {said}");
    let (code, said) = up.end();
    assert_eq!(code, Some(1));
    assert!(said.starts_with(&format!("soquete: late: bind {at}: address in use\n")), "{said}");
    assert!(said.lines().count() >= 2, "what to do stands in a line of its own: {said}");
    home.assert_clean();
}

#[test]
fn wrong_arguments_and_configurations_begin_nothing() {
    let home = Home::new("wrong");
    home.write("wrong.toml", "[processes.led_process]\nsevre = []\n");
    for (arguments, expected) in [
        (&["up", "-c", "wrong.toml"][..], "wrong.toml:2:1"),
        (&["up", "--detach", "-c", "wrong.toml"], "wrong.toml:2:1"),
        (&["up", "-c", "none.toml"], "no such file"),
        (&["up", "-c", "home.toml", "--anyone-from", "10.0.0.0/33"], "10.0.0.0/33"),
        (&["up", "-c", "home.toml", "--platform", "pc"], "cannot be used with"),
        (&["run", "none", "-c", "home.toml"], "no process none in home.toml\nit has led_process, button_process"),
    ] {
        let output = home.run(arguments);
        let (out, err) = text(&output);
        assert_eq!((output.status.code(), out.as_str()), (Some(2), ""), "{arguments:?}: {err}");
        assert!(err.starts_with("soquete: ") && err.contains(expected), "{arguments:?}: {err}");
    }
    home.assert_clean();
}

#[test]
fn anyone_from_reaches_the_processes() {
    let home = Home::new("anyone");
    let mut command = home.soquete(&["up", "-c", "home.toml", "--anyone-from", "10.0.0.0/24"]);
    let mut up = Up::of(command.stdout(std::process::Stdio::piped()).spawn().unwrap());
    let said = up.lines.until("soquete down").join("\n");
    assert!(said.contains("tcp://0.0.0.0:0: for every machine of 10.0.0.0/24"), "{said}");
    let led = proc(home.pids()[0], "net/tcp");
    assert!(led.lines().any(|line| line.contains(" 00000000:") && line.contains(" 0A ")), "{led}");
}

#[test]
fn a_folder_that_others_can_write_to_is_not_used() {
    let home = Home::new("open");
    let folder = home.path.join("run/soquete");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o777)).unwrap();
    let (_, err) = text(&home.run(&["up", "-c", "home.toml"]));
    assert!(err.contains("is open for other users to write") && err.contains("chmod go-w"), "{err}");
}

#[test]
fn a_folder_too_deep_for_sockets_is_named() {
    let home = Home::new("deep");
    let deep = home.path.join("d".repeat(80));
    fs::create_dir(&deep).unwrap();
    let output = home.soquete(&["up", "-c", "home.toml"]).env("XDG_RUNTIME_DIR", &deep).output().unwrap();
    let (_, err) = text(&output);
    assert!(err.contains("allowed for sockets\nset XDG_RUNTIME_DIR to a folder with a shorter path"), "{err}");
}
