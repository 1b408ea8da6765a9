# At a terminal: editing, history, Ctrl-C ends an answer or drops a line, Ctrl-D ends, SIGTERM ends with 143.
# needs: libedit
cat > t.jinja <<'END'
{% for m in messages %}<{{ m.role }}> {{ m.content }}
{% endfor %}<assistant>
END
timeout 100 python3 - <<'END'
import json, os, pty, select, signal, sys, termios, time

class Terminal:
    def __init__(self, *args):
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.environ["TERM"] = "xterm"
            os.execvp("slm", ["slm", "chat", "--template", "t.jinja", *args])
        self.seen = self.all = b""
    def wait(self, what, seconds=30):
        end = time.time() + seconds
        while what not in self.seen:
            if not select.select([self.fd], [], [], max(0, end - time.time()))[0]:
                print("waited in vain for", what, "after", self.all[-600:])
                sys.exit(1)
            self.more()
        self.seen = self.seen.split(what, 1)[1]
    def more(self):
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        self.seen += data
        self.all += data
        return data
    def prompt(self):           # it is there, and the terminal is libedit's
        self.wait(b"> ")
        while termios.tcgetattr(self.fd)[3] & termios.ICANON:
            time.sleep(0.01)
    def some(self, n):
        while len(self.seen) < n and self.more():
            pass
    def type(self, keys):
        os.write(self.fd, keys)
    def end(self):
        while self.more():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

def turns():
    return [(m["role"], m["content"]) for m in json.load(open("s.json"))["messages"]]

t = Terminal("--session", "s.json", "--temp", "1", "--max-tokens", "0", "-c", "3000")
t.prompt()
t.type(b"Helli there\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x7fo\n")     # six to the left, an i goes, an o comes
t.wait(b"\r\n")
t.some(40)
t.type(b"\x03")
t.wait(b"(stopped)")
t.prompt()
t.type(b"dropped\x03")
t.prompt()
t.type(b"/stats\n")
t.wait(b"2 turns")
t.prompt()
t.type(b"/frobnicate\n")
t.wait(b"no command")
t.prompt()
t.type(b"\x04")
print("exit", t.end())
print("question:", turns()[0][1], "- answer of some length:", len(turns()[1][1]) > 0, "- turns:", len(turns()))

t = Terminal("--session", "s.json", "-n", "5")
t.wait(b"goes on after 2 turns")
t.prompt()
t.type(b"\x1b[A again\n")                       # the question of the first run, from the arrow key
t.prompt()
t.type(b"/stats\n")
t.wait(b"last prompt ")
t.wait(b"last answer")
t.prompt()
os.kill(t.pid, signal.SIGTERM)
print("exit", t.end())
print("question:", turns()[2][1], "- turns:", len(turns()))
END
stat -c '%a %n' s.json
