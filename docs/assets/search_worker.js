// A page that is opened from a disk may start no worker; the search then runs in a hidden frame in its place.
class FrameWorker extends EventTarget {
  constructor(url) {
    super();
    const frame = document.createElement("iframe");
    frame.hidden = true;
    document.body.append(frame);
    this.frame = frame.contentWindow;
    this.frame.document.open();
    this.frame.document.write(`<body><script>
      postMessage = (data) => parent.postMessage(data, "*");
      importScripts = (...urls) => urls.reduce((before, url) => before.then(() => new Promise((loaded) => {
        const script = document.createElement("script");
        script.onload = loaded;
        script.src = url;
        document.body.append(script);
      })), Promise.resolve());
    <\/script><script src="${url}"><\/script></body>`);
    this.frame.document.close();
    this.ready = new Promise((loaded) => { this.frame.onload = loaded; });
    window.addEventListener("message", (event) => {
      if (event.source === this.frame) this.dispatchEvent(new MessageEvent("message", { data: event.data }));
    });
  }

  postMessage(data) {
    this.ready.then(() => this.frame.dispatchEvent(new MessageEvent("message", { data })));
  }
}

if (location.protocol === "file:") window.Worker = FrameWorker;
