// Keeps a page up to date, and nothing else: every page works without it. What comes from the server is put in as elements that the
// server wrote and escaped, by a parser that runs nothing, or as text.
"use strict";
(() => {
  const root = document.documentElement;

  // Light or dark: what was chosen holds before anything is drawn.
  const stored = (() => { try { return localStorage.getItem("theme"); } catch { return null; } })();
  if (stored === "light" || stored === "dark") root.dataset.theme = stored;
  const prefers = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme || (prefers.matches ? "dark" : "light")) === "dark";
  function theme(button) {
    const show = () => { button.textContent = isDark() ? "Light" : "Dark"; button.title = `Show the pages ${isDark() ? "light" : "dark"}`; };
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      try { localStorage.setItem("theme", root.dataset.theme); } catch { /* not kept, then */ }
      show();
    });
    prefers.addEventListener("change", show);
    show();
    button.hidden = false;
  }

  // Times that go on, by the server's clock.
  const offset = Number(root.dataset.now) / 1000 - Date.now();
  const two = (n) => String(n).padStart(2, "0");
  const length = (s) => (s < 60 ? `${s} s` : `${Math.floor(s / 60)} min ${two(s % 60)} s`);
  function ago(s) {
    if (s < 10) return "just now";
    if (s < 60) return `${s} s ago`;
    if (s < 3600) return `${Math.floor(s / 60)} min ago`;
    if (s < 86400) return `${Math.floor(s / 3600)} h ago`;
    return s < 172800 ? "yesterday" : `${Math.floor(s / 86400)} days ago`;
  }
  const put = (element, text) => { if (element.textContent !== text) element.textContent = text; };
  function tick() {
    const seconds = (micros) => Math.max(0, Math.floor((Date.now() + offset - Number(micros) / 1000) / 1000));
    for (const element of document.querySelectorAll("[data-since]")) put(element, length(seconds(element.dataset.since)));
    for (const element of document.querySelectorAll("[data-ago]")) put(element, ago(seconds(element.dataset.ago)));
  }

  // Makes an element as another one is, and leaves alone what is the same already: the focus, what is selected, what was opened.
  function morph(old, fresh) {
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || (old.id || "") !== (fresh.id || "")) return old.replaceWith(fresh);
    if (old.nodeType !== Node.ELEMENT_NODE) { if (old.data !== fresh.data) old.data = fresh.data; return; }
    if (old.dataset.keep !== undefined && old.dataset.keep === fresh.dataset.keep) return;
    for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
    for (const { name, value } of [...fresh.attributes]) if (old.getAttribute(name) !== value && name !== "open") old.setAttribute(name, value);
    let at = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const named = child.id && [...old.children].find((other) => other.id === child.id);
      if (named && named !== at) old.insertBefore(named, at), (at = named);
      if (!at) { old.append(child); continue; }
      const next = at.nextSibling;
      morph(at, child);
      at = next;
    }
    while (at) { const next = at.nextSibling; at.remove(); at = next; }
  }
  function parse(html) {
    const table = /^<(tr|thead)[ >]/.test(html);
    const parsed = new DOMParser().parseFromString(table ? `<table>${html}</table>` : html, "text/html");
    return parsed.body.querySelector(table ? html.slice(1, 3) === "tr" ? "tr" : "thead" : "*");
  }
  function region([id, html], rows) {
    const fresh = parse(html);
    if (!fresh || fresh.id !== id) return;
    const old = document.getElementById(id);
    if (old) morph(old, document.adoptNode(fresh));
    else if (rows && fresh.nodeName === "TR") rows.append(document.adoptNode(fresh));
    if (id === "log" && old) log.begin();
  }
  function order(rows, ids) {
    const wanted = new Set(ids);
    for (const row of [...rows.children]) if (!wanted.has(row.id)) row.remove();
    let at = rows.firstElementChild;
    for (const id of ids) {
      const row = document.getElementById(id);
      if (!row) continue;
      if (row === at) at = at.nextElementSibling; else rows.insertBefore(row, at);
    }
    const none = document.getElementById("none");
    if (none) none.hidden = rows.children.length > 0;
  }

  // The log: chunks of lines, of which the browser draws those that are seen.
  const log = {
    CHUNK: 200, MOST: 20000,
    begin() {
      this.section = document.getElementById("log");
      this.lines = document.getElementById("lines");
      if (!this.lines || this.bound === this.lines) return;
      this.bound = this.lines;
      this.first = Number(this.section.dataset.first);
      this.next = Number(this.section.dataset.next);
      this.count = this.next - this.first;
      this.last = this.lines.lastElementChild;
      this.follow = document.getElementById("follow");
      document.getElementById("follow-label").hidden = false;
      this.lines.addEventListener("scroll", () => this.scrolled(), { passive: true });
      this.follow.addEventListener("change", () => this.follow.checked && this.end());
      const earlier = document.getElementById("earlier");
      if (earlier) earlier.addEventListener("click", (event) => { event.preventDefault(); this.before(); });
      for (const chunk of this.lines.children) this.size(chunk);
      const later = document.getElementById("later");
      this.end();
      this.fill(later);
    },
    size(chunk) { chunk.style.containIntrinsicHeight = `auto ${chunk.children.length * 20}px`; },
    atEnd() { return this.lines.scrollHeight - this.lines.scrollTop - this.lines.clientHeight < 40; },
    to(top) { this.lines.scrollTop = top; this.at = this.lines.scrollTop; },
    end() { this.to(this.lines.scrollHeight); },
    // Only what a person scrolled says whether they follow.
    scrolled() { if (Math.abs(this.lines.scrollTop - this.at) > 1) { this.at = -1; this.follow.checked = this.atEnd(); } },
    line(number, pieces) {
      const line = document.createElement("div");
      line.className = "l";
      line.dataset.n = number + 1;
      for (const [classes, text] of pieces) {
        if (!classes) { line.append(text); continue; }
        const span = document.createElement("span");
        span.className = classes;
        span.textContent = text;
        line.append(span);
      }
      return line;
    },
    chunk(from, lines) {
      const chunk = document.createElement("div");
      chunk.className = "chunk";
      lines.forEach((pieces, at) => chunk.append(this.line(from + at, pieces)));
      this.size(chunk);
      return chunk;
    },
    gap(lines) {
      const gap = document.createElement("div");
      gap.className = "gap";
      gap.textContent = `${lines.toLocaleString("en")} lines are left out here; they are in the file.`;
      return gap;
    },
    add(page) {
      if (!this.lines || this.section.dataset.keep !== page.stage) return;
      const skip = Math.max(0, this.next - page.from);
      const fresh = page.lines.slice(skip);
      let from = page.from + skip;
      if (from > this.next) { this.lines.append(this.gap(from - this.next)); this.last = null; }
      for (let at = 0; at < fresh.length; ) {
        if (!this.last || !this.last.classList.contains("chunk") || this.last.children.length >= this.CHUNK) {
          this.last = this.chunk(0, []);
          this.lines.append(this.last);
        }
        const some = fresh.slice(at, at + this.CHUNK - this.last.children.length);
        some.forEach((pieces, n) => this.last.append(this.line(from + n, pieces)));
        this.size(this.last);
        at += some.length;
        from += some.length;
      }
      this.next = from;
      this.count += fresh.length;
      while (this.count > this.MOST && this.lines.children.length > 1) {
        const oldest = this.lines.firstElementChild;
        const height = oldest.offsetHeight, top = this.lines.scrollTop;
        this.count -= oldest.querySelectorAll(".l").length;
        oldest.remove();
        this.to(top - height);
        this.first = Number(this.lines.querySelector(".l").dataset.n) - 1;
      }
      this.told(page);
      if (this.follow.checked) this.end();
    },
    told(page) {
      put(document.getElementById("count"), `${page.total.toLocaleString("en")} ${page.total === 1 ? "line" : "lines"}`);
      const none = document.getElementById("nolines");
      if (none && page.total) none.remove();
      if (page.cut) this.section.querySelector(".cut").hidden = false;
    },
    // Lines before the first one here, a chunk a frame.
    async before() {
      if (this.loading || this.first === 0) return;
      this.loading = true;
      const lines = this.lines, from = Math.max(0, this.first - 1000);
      try {
        const answer = await fetch(`${this.section.dataset.url}?from=${from}&limit=${this.first - from}`, { headers: { accept: "application/json" } });
        if (!answer.ok) throw new Error(answer.status);
        const page = await answer.json();
        for (let end = page.lines.length; end > 0; end -= this.CHUNK) {
          await new Promise(requestAnimationFrame);
          if (lines !== this.lines) return;
          const begin = Math.max(0, end - this.CHUNK), height = lines.scrollHeight, top = lines.scrollTop;
          lines.prepend(this.chunk(page.from + begin, page.lines.slice(begin, end)));
          this.to(top + lines.scrollHeight - height);
          this.count += end - begin;
        }
        this.first = page.from;
        if (this.first === 0) document.getElementById("earlier")?.parentElement.remove();
      } catch { return false; } finally { this.loading = false; }
      return true;
    },
    // Lines after the last one here, where nothing else brings them.
    async after(later) {
      const lines = this.lines;
      for (let more = true; more && lines === this.lines && this.count < this.MOST; ) {
        const answer = await fetch(`${this.section.dataset.url}?from=${this.next}&limit=1000`, { headers: { accept: "application/json" } });
        if (!answer.ok) return;
        const page = await answer.json();
        more = page.lines.length > 0;
        this.add(page);
        if (!more) later.parentElement.remove();
      }
    },
    async fill(later) {
      if (later) try { this.follow.checked = false; await this.after(later); } catch { return; }
      const lines = this.lines;
      while (this.first > 0 && this.count < this.MOST && lines === this.lines) {
        await new Promise((done) => (window.requestIdleCallback || setTimeout)(done));
        if (!(await this.before())) return;
      }
    },
  };

  // What changes. A page that nobody sees asks for nothing: browsers have few connections for one server.
  function follow(url) {
    const sign = document.getElementById("live"), say = document.getElementById("say"), rows = document.getElementById("rows");
    let source = null;
    const shown = (text, off) => { put(sign, text); sign.classList.toggle("off", off); sign.hidden = false; };
    const open = () => {
      source = new EventSource(url());
      source.onopen = () => shown("Live", false);
      source.onerror = () => shown(source.readyState === EventSource.CLOSED ? "Not live: reload" : "Connecting", true);
      source.addEventListener("over", () => { close(); over = true; sign.hidden = true; });
      source.onmessage = (event) => {
        const told = JSON.parse(event.data);
        for (const one of told.regions || []) region(one, rows);
        if (told.order && rows) order(rows, told.order);
        if (told.log) log.add(told.log);
        if (told.say) put(say, told.say);
      };
    };
    let over = false;
    const close = () => { if (source) source.close(); source = null; };
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) close(); else if (!source && !over) open();
    });
    addEventListener("pagehide", close);
    if (!document.hidden) open();
  }

  document.addEventListener("DOMContentLoaded", () => {
    theme(document.getElementById("theme"));
    log.begin();
    // On a narrow screen the stage that is open may be out of sight.
    const strip = document.querySelector(".strip"), open = strip && strip.querySelector("[aria-current]");
    if (open) strip.scrollLeft = open.offsetLeft - (strip.clientWidth - open.offsetWidth) / 2;
    const live = document.body.dataset.live;
    if (live) {
      follow(() => {
        const url = new URL(live, location.href);
        if (log.lines) { url.searchParams.set("log", log.section.dataset.keep); url.searchParams.set("from", log.next); }
        return url.pathname + url.search;
      });
    }
    setInterval(tick, 1000);
  });
})();
