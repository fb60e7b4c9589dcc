/// How a file is opened, as in POSIX and `std::fs`.
///
/// ```
/// use hyperdrive::OpenOptions;
///
/// let options = OpenOptions::new().read(true).write(true).create(true);
/// assert_eq!(Some(options), OpenOptions::from_flags(0o2 | 0o100));
/// assert_eq!(OpenOptions::parse("wx"), Some(OpenOptions::new().write(true).create_new(true)));
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OpenOptions {
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) append: bool,
    pub(crate) truncate: bool,
    pub(crate) create: bool,
    pub(crate) create_new: bool,
    pub(crate) mode: Option<u32>,
}

impl OpenOptions {
    /// Nothing is allowed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the file is read.
    #[must_use]
    pub fn read(mut self, read: bool) -> Self {
        self.read = read;
        self
    }

    /// Whether the file is written.
    #[must_use]
    pub fn write(mut self, write: bool) -> Self {
        self.write = write;
        self
    }

    /// Whether the file is written at its end only, wherever that is at the time.
    #[must_use]
    pub fn append(mut self, append: bool) -> Self {
        self.append = append;
        self
    }

    /// Whether the file is emptied when it is opened. It must be written, and not appended to.
    #[must_use]
    pub fn truncate(mut self, truncate: bool) -> Self {
        self.truncate = truncate;
        self
    }

    /// Whether a missing file is made. It must be written or appended to.
    #[must_use]
    pub fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// Whether the file must be missing, and is made. A symlink in its place is in the way as well.
    #[must_use]
    pub fn create_new(mut self, create_new: bool) -> Self {
        self.create_new = create_new;
        self
    }

    /// The permission bits of a file that is made (default 0644).
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = Some(mode);
        self
    }

    /// From the flags of `open(2)` on Linux. `None` if they contradict one another. Those that say
    /// nothing about what is read and written are passed over.
    pub fn from_flags(flags: u32) -> Option<Self> {
        let (read, write) = match flags & 0o3 {
            0 => (true, false),
            1 => (false, true),
            2 => (true, true),
            _ => return None,
        };
        let has = |flag: u32| flags & flag != 0;
        let append = has(APPEND) && write;
        let create = has(CREATE) && write;
        Some(Self {
            read,
            write: write && !append,
            append,
            truncate: has(TRUNCATE),
            create: create && !has(EXCLUSIVE),
            create_new: create && has(EXCLUSIVE),
            mode: None,
        })
        .filter(|options| options.is_valid())
    }

    /// From a mode of Node's `fs.open`: `r`, `w` or `a`, with `+`, `x` and `s` where they make sense.
    pub fn parse(mode: &str) -> Option<Self> {
        let mut letters: Vec<char> = mode.chars().filter(|letter| *letter != 's').collect();
        let synchronous = mode.len() - letters.len();
        letters.sort_unstable();
        let both = letters.first() == Some(&'+');
        let exclusive = letters.last() == Some(&'x');
        let kind = &letters[usize::from(both)..letters.len() - usize::from(exclusive)];
        let read = Self::new().read(true).write(both);
        let made = Self::new()
            .read(both)
            .create(!exclusive)
            .create_new(exclusive);
        let may_be_synchronous = !matches!(kind, ['w']) && !exclusive;
        let ends_well = !both || mode.ends_with('+');
        let options = match kind {
            ['r'] if !exclusive => read,
            ['w'] => made.write(true).truncate(!exclusive),
            ['a'] => made.append(true),
            _ => return None,
        };
        let fits = synchronous == 0 || synchronous == 1 && may_be_synchronous;
        (fits && ends_well).then_some(options)
    }

    /// Whether the options go together; as in `std::fs`.
    pub(crate) fn is_valid(self) -> bool {
        if !self.writes() {
            return self.read && !(self.truncate || self.create || self.create_new);
        }
        !(self.append && self.truncate) || self.create_new
    }

    /// Whether the file may change.
    pub(crate) fn writes(self) -> bool {
        self.write || self.append
    }
}

const CREATE: u32 = 0o100;
const EXCLUSIVE: u32 = 0o200;
const TRUNCATE: u32 = 0o1000;
const APPEND: u32 = 0o2000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_of_the_reference() {
        let flags = [
            ("r", 0),
            ("rs", 0),
            ("sr", 0),
            ("r+", 2),
            ("rs+", 2),
            ("sr+", 2),
            ("w", 1 | CREATE | TRUNCATE),
            ("wx", 1 | CREATE | EXCLUSIVE),
            ("xw", 1 | CREATE | EXCLUSIVE),
            ("w+", 2 | CREATE | TRUNCATE),
            ("wx+", 2 | CREATE | EXCLUSIVE),
            ("xw+", 2 | CREATE | EXCLUSIVE),
            ("a", 1 | CREATE | APPEND),
            ("ax", 1 | CREATE | APPEND | EXCLUSIVE),
            ("xa", 1 | CREATE | APPEND | EXCLUSIVE),
            ("as", 1 | CREATE | APPEND),
            ("sa", 1 | CREATE | APPEND),
            ("a+", 2 | CREATE | APPEND),
            ("ax+", 2 | CREATE | APPEND | EXCLUSIVE),
            ("xa+", 2 | CREATE | APPEND | EXCLUSIVE),
            ("as+", 2 | CREATE | APPEND),
            ("sa+", 2 | CREATE | APPEND),
        ];
        for (mode, flags) in flags {
            let options = OpenOptions::parse(mode);
            assert!(options.is_some_and(OpenOptions::is_valid), "{mode}");
            assert_eq!(options, OpenOptions::from_flags(flags), "{mode}");
        }
        for mode in [
            "", "x", "rx", "rw", "+r", "ws", "r++", "rss", "q", "wxx", "+",
        ] {
            assert_eq!(OpenOptions::parse(mode), None, "{mode}");
        }
    }
}
