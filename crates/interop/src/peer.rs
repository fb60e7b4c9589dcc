//! A Node process that does what a test tells it (`node/peer.js`).

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::LIMIT;
use crate::lines::Lines;

/// Where Node's own part of this crate lies, and its packages.
#[derive(Debug)]
pub struct Node;

impl Node {
    /// `crates/interop/node`, with its packages installed.
    ///
    /// # Panics
    ///
    /// When they are not: one place installs them, and that is `cargo xtask test`.
    #[must_use]
    pub fn home() -> PathBuf {
        let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("node");
        assert!(
            home.join("node_modules").is_dir(),
            "the Node packages are not installed: run `cargo xtask test`, or `npm ci` in {}",
            home.display()
        );
        home
    }

    /// Node, started in its home with its packages at hand.
    #[must_use]
    pub fn command() -> Command {
        let home = Self::home();
        let mut command = Command::new("node");
        command
            .env("NODE_PATH", home.join("node_modules"))
            .current_dir(home);
        command
    }
}

/// A Node process that opens logs, stores and drives, and serves or dials them. It ends with the
/// value.
#[derive(Debug)]
pub struct Peer {
    process: Child,
    input: ChildStdin,
    output: Lines,
    questions: u64,
    answers: BTreeMap<u64, Value>,
    events: VecDeque<Value>,
}

/// A command that has been given and not yet been answered.
#[derive(Debug)]
#[must_use = "a command that nobody waits for may fail unseen"]
pub struct Question(u64);

impl Peer {
    /// Starts Node.
    #[must_use]
    #[track_caller]
    pub fn start() -> Self {
        let mut process = Node::command()
            .arg("peer.js")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("node starts");
        let input = process.stdin.take().expect("stdin is a pipe");
        let output = Lines::of(process.stdout.take().expect("stdout is a pipe"));
        Self {
            process,
            input,
            output,
            questions: 0,
            answers: BTreeMap::new(),
            events: VecDeque::new(),
        }
    }

    /// Gives a command and waits for its answer.
    ///
    /// # Panics
    ///
    /// When Node answers with an error.
    #[track_caller]
    pub fn ask(&mut self, command: &str, arguments: Value) -> Value {
        let question = self.begin(command, arguments);
        self.finish(question)
    }

    /// As [`ask`](Self::ask), where Node may take for ever: `None` if it has not answered within the
    /// limit. It is of no more use then.
    #[track_caller]
    pub fn ask_within(
        &mut self,
        limit: Duration,
        command: &str,
        arguments: Value,
    ) -> Option<Value> {
        let Question(id) = self.begin(command, arguments);
        let deadline = Instant::now() + limit;
        loop {
            if let Some(mut answer) = self.answers.remove(&id) {
                assert!(answer["error"].is_null(), "node: {}", answer["error"]);
                return Some(answer["ok"].take());
            }
            let Some(line) = self.output.next_before(deadline)? else {
                panic!("node ended; its last words:\n{}", self.output.seen());
            };
            self.take(&line);
        }
    }

    /// As [`ask`](Self::ask), where Node has to answer with an error. Returns its words.
    #[track_caller]
    pub fn ask_in_vain(&mut self, command: &str, arguments: Value) -> String {
        let Question(id) = self.begin(command, arguments);
        let answer = self.answer(id);
        match answer["error"].as_str() {
            Some(error) => error.to_owned(),
            None => panic!("node was to refuse {command}, and answered {answer}"),
        }
    }

    /// Gives a command and does not wait.
    #[track_caller]
    pub fn begin(&mut self, command: &str, arguments: Value) -> Question {
        self.questions += 1;
        let mut message = json!({ "id": self.questions, "do": command });
        let (Some(message_fields), Value::Object(arguments)) = (message.as_object_mut(), arguments)
        else {
            panic!("arguments come as an object");
        };
        message_fields.extend(arguments);
        writeln!(self.input, "{message}").expect("node reads its commands");
        Question(self.questions)
    }

    /// Waits for the answer to a command that was given before.
    #[track_caller]
    pub fn finish(&mut self, question: Question) -> Value {
        let mut answer = self.answer(question.0);
        if !answer["error"].is_null() {
            panic!("node: {} {}", answer["error"], answer["code"]);
        }
        answer["ok"].take()
    }

    /// Waits for an event of this name, or takes the earliest that came already.
    #[track_caller]
    pub fn event(&mut self, name: &str) -> Value {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(at) = self.events.iter().position(|event| event["event"] == name) {
                return self.events.remove(at).expect("the position was just found");
            }
            self.read(deadline);
        }
    }

    #[track_caller]
    fn answer(&mut self, id: u64) -> Value {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(answer) = self.answers.remove(&id) {
                return answer;
            }
            self.read(deadline);
        }
    }

    /// Takes in one line.
    #[track_caller]
    fn read(&mut self, deadline: Instant) {
        let Some(line) = self.output.next(deadline) else {
            panic!("node ended; its last words:\n{}", self.output.seen());
        };
        self.take(&line);
    }

    #[track_caller]
    fn take(&mut self, line: &str) {
        let message: Value = serde_json::from_str(line)
            .unwrap_or_else(|error| panic!("node wrote {line:?}, which is not JSON: {error}"));
        if message["event"] == "crash" {
            panic!("node broke down: {}", message["error"]);
        }
        match message["id"].as_u64() {
            Some(id) => {
                self.answers.insert(id, message);
            }
            None => self.events.push_back(message),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Nothing is left to be saved by a gentler end, and a failing test must not hang.
        let _already_ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}
