//! Instructions that change the image's configuration and no file.

use crate::error::Trouble;
use crate::stage::Stage;
use dockerfile::{Argument, CommandLine, Healthcheck, Instruction, KeyValue, Kind, Word};
use oci::config::Empty;

impl Stage<'_> {
    /// Applies an instruction that makes no layer; `false` when it is another.
    pub(crate) fn configure(&mut self, instruction: &Instruction) -> Result<bool, Trouble> {
        match &instruction.kind {
            Kind::Env(pairs) => self.set_env(pairs)?,
            Kind::Label(pairs) => {
                let pairs = self.pairs(pairs)?;
                self.config.config.labels.extend(pairs);
            }
            Kind::Arg(arguments) => arguments.iter().try_for_each(|argument| self.declare(argument))?,
            Kind::Cmd(command) => {
                self.config.config.cmd = Some(self.command(command));
                self.cmd_set = true;
            }
            Kind::Entrypoint(command) => {
                self.config.config.entrypoint = Some(self.command(command));
                // A command of the base was meant for the base's entry point.
                if !self.cmd_set {
                    self.config.config.cmd = None;
                }
            }
            Kind::Expose(words) => self.expose(words)?,
            Kind::Volume(words) => {
                for word in words {
                    let path = self.expand(&word.text)?;
                    if path.is_empty() {
                        return Err(Trouble::new("a volume's path is empty"));
                    }
                    self.config.config.volumes.insert(path, Empty {});
                }
            }
            Kind::User(word) => self.config.config.user = self.expand(&word.text)?,
            Kind::Stopsignal(word) => self.config.config.stop_signal = Some(self.signal(word)?),
            Kind::Shell(shell) => self.config.config.shell = Some(shell.clone()),
            Kind::Healthcheck(check) => self.config.config.healthcheck = Some(self.health(check)?),
            Kind::Onbuild(onbuild) => self.config.config.on_build.push(onbuild.expression.clone()),
            Kind::Maintainer(word) => self.config.author = Some(word.text.clone()),
            _ => return Ok(false),
        }
        self.remember_step(instruction, true);
        Ok(true)
    }

    fn pairs(&self, pairs: &[KeyValue]) -> Result<Vec<(String, String)>, Trouble> {
        pairs.iter().map(|pair| Ok((self.expand(&pair.key.text)?, self.expand(&pair.value.text)?))).collect()
    }

    fn set_env(&mut self, pairs: &[KeyValue]) -> Result<(), Trouble> {
        // All values are expanded before any is set: they do not see each other.
        for (name, value) in self.pairs(pairs)? {
            let line = format!("{name}={value}");
            let env = &mut self.config.config.env;
            match env.iter_mut().find(|line| line.split_once('=').map_or(line.as_str(), |(own, _)| own) == name) {
                Some(old) => *old = line,
                None => env.push(line),
            }
            self.env.set(&name, &value);
        }
        Ok(())
    }

    fn declare(&mut self, argument: &Argument) -> Result<(), Trouble> {
        let name = argument.name.text.as_str();
        self.shared.use_arg(name);
        let value = match (self.shared.request.args.get(name), &argument.default) {
            (Some(given), _) => Some(given.clone()),
            (None, Some(default)) => Some(self.expand(&default.text)?),
            (None, None) => self.shared.globals.get(name),
        };
        if let Some(value) = value {
            self.env.set(name, &value);
        }
        Ok(())
    }

    fn command(&self, command: &CommandLine) -> Vec<String> {
        match command {
            CommandLine::Exec(args) => args.clone(),
            CommandLine::Shell(line) => {
                let shell = self.config.config.shell.clone().unwrap_or_else(|| vec!["/bin/sh".into(), "-c".into()]);
                shell.into_iter().chain([line.text.clone()]).collect()
            }
        }
    }

    fn expose(&mut self, words: &[Word]) -> Result<(), Trouble> {
        for word in words {
            for text in self.expand_words(&word.text)? {
                self.config.config.exposed_ports.extend(ports(&text)?.into_iter().map(|port| (port, Empty {})));
            }
        }
        Ok(())
    }

    fn signal(&self, word: &Word) -> Result<String, Trouble> {
        let signal = self.expand(&word.text)?;
        let number = signal.parse::<u32>().is_ok_and(|number| (1..=64).contains(&number));
        let name = signal.strip_prefix("SIG").unwrap_or(&signal);
        let named = !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || matches!(b, b'+' | b'-'))
            && !name.starts_with(|c: char| c.is_ascii_digit());
        if number || named {
            Ok(signal)
        } else {
            Err(Trouble::new(format!("`{signal}` is no signal")).hint("write a name such as SIGTERM, or a number"))
        }
    }

    fn health(&self, check: &Healthcheck) -> Result<oci::Healthcheck, Trouble> {
        let Healthcheck::Check { command, interval, timeout, start_period, start_interval, retries } = check else {
            return Ok(oci::Healthcheck { test: vec!["NONE".into()], ..Default::default() });
        };
        let test = match command {
            CommandLine::Exec(args) => [vec!["CMD".to_owned()], args.clone()].concat(),
            CommandLine::Shell(line) => vec!["CMD-SHELL".into(), line.text.clone()],
        };
        Ok(oci::Healthcheck {
            test,
            interval: nanos("--interval", interval.as_deref())?,
            timeout: nanos("--timeout", timeout.as_deref())?,
            start_period: nanos("--start-period", start_period.as_deref())?,
            start_interval: nanos("--start-interval", start_interval.as_deref())?,
            retries: retries.unwrap_or(0).into(),
        })
    }
}

/// A Go duration in nanoseconds; none, and `0`, are 0: the default.
fn nanos(flag: &str, text: Option<&str>) -> Result<i64, Trouble> {
    let Some(text) = text.filter(|text| *text != "0") else { return Ok(0) };
    let duration = base::units::parse_duration(text).map_err(|error| Trouble::new(format!("{flag}: {error}")))?;
    let nanos = i64::try_from(duration.as_nanos()).map_err(|_| Trouble::new(format!("{flag}: `{text}` is too long")))?;
    if nanos < 1_000_000 && nanos != 0 {
        return Err(Trouble::new(format!("{flag}: `{text}` is less than 1ms")));
    }
    Ok(nanos)
}

/// `80`, `80/udp`, `8000-8010/tcp` as `80/tcp` and so on.
fn ports(text: &str) -> Result<Vec<String>, Trouble> {
    let wrong = || Trouble::new(format!("`{text}` is no port")).hint("write 80, 80/udp or 8000-8010");
    let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_lowercase();
    if !["tcp", "udp", "sctp"].contains(&protocol.as_str()) {
        return Err(wrong());
    }
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let number = |text: &str| text.parse::<u16>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    let (first, last) = (number(first).ok_or_else(wrong)?, number(last).ok_or_else(wrong)?);
    if first > last {
        return Err(wrong());
    }
    Ok((first..=last).map(|port| format!("{port}/{protocol}")).collect())
}
