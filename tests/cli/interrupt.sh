# Ctrl-C ends with 130 and leaves no temporary file.
# needs: shared
ln -s "$SHARED/models/stories260k/stories260K.gguf" m.gguf
python3 - <<'END'
import re, signal, subprocess, time
signal.signal(signal.SIGINT, signal.default_int_handler)      # a shell's background job would ignore it
def interrupted(args, **more):
    p = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **more)
    while not int(re.search("SigCgt:\\s*(\\w+)", open("/proc/%d/status" % p.pid).read()).group(1), 16) & 2:
        time.sleep(0.01)        # until the program catches it
    time.sleep(0.3)
    p.send_signal(signal.SIGINT)
    err = p.communicate(timeout=60)[1].decode()
    print(p.returncode, err.strip())
with open("ids", "w") as f:
    f.write(" ".join("%d" % (i % 512) for i in range(60000)))
interrupted(["slm", "logits", "-m", "m.gguf", "--tokens", "@ids", "--out", "x", "-t", "1"])
interrupted(["slm", "tokenize", "-m", "m.gguf", "--json"], stdin=subprocess.PIPE)
END
ls
