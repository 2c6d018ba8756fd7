"""A model server on a loopback port that answers from a script instead of with a model.

It speaks the four protocols that the agents use: Anthropic Messages, OpenAI Responses, OpenAI Chat Completions and
Gemini. A scenario is a list of calls. The server orders one call per answer: the first one whose result is not yet part
of the conversation that the agent sends. So an agent that retries a request gets the same call again, with the same id.
Requests that offer no tools (titles, summaries) get a short text.
"""
import gzip
import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DONE = "All calls are done."
SIDE_ANSWER = "A short answer"
INPUT_TOKENS, OUTPUT_TOKENS = 1000, 50


class Call:
    """A tool call that the model orders, and how toolhub must read it."""

    def __init__(self, tool, arguments, outcome, reason=None):
        self.tool, self.arguments = tool, arguments
        self.outcome, self.reason = outcome, reason
        self.id = None  # set when it is ordered for the first time
        self.result = None  # what the agent reported to the model


class Model:
    """The server, and how far the script has come."""

    def __init__(self, calls):
        self.calls = calls
        self.refused = []  # requests that no protocol here understands
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"model": self}))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def next(self, offers_tools, results, prefix):
        """The call to order now, or None. `results` are pairs of a call's id and what it returned."""
        with self.lock:
            for name, text in results:
                for call in self.calls:
                    # Gemini CLI puts the name of the tool before the id.
                    if call.id and call.result is None and (name == call.id or str(name).endswith("__" + call.id)):
                        call.result = text
            if not offers_tools:
                return None
            for call in self.calls:
                if call.result is None:
                    call.id = call.id or prefix + uuid.uuid4().hex[:24]
                    return call
            return None


def text_of(content):
    if isinstance(content, list):
        return "\n".join(text_of(part) for part in content)
    if isinstance(content, dict):
        return text_of(content.get("text") or content.get("content") or json.dumps(content))
    return str(content)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model = None

    def log_message(self, *_):
        """The server's log is of no interest."""

    def do_HEAD(self):
        self.respond({})

    def do_GET(self):
        self.respond({"object": "list", "data": [], "models": [], "has_more": False})

    def do_POST(self):
        path = self.path.split("?")[0]
        try:
            body = json.loads(self.body() or b"{}")
        except (OSError, ValueError) as error:
            return self.refuse(415, f"{path}: {error}")
        try:
            if path.endswith("/count_tokens"):
                self.respond({"input_tokens": INPUT_TOKENS})
            elif path.endswith(":countTokens"):
                self.respond({"totalTokens": INPUT_TOKENS})
            elif path.endswith("/messages"):
                self.anthropic_messages(body)
            elif path.endswith("/responses"):
                self.openai_responses(body)
            elif path.endswith("/chat/completions"):
                self.openai_chat(body)
            elif path.endswith((":generateContent", ":streamGenerateContent")):
                self.gemini(body, path.rsplit("/", 1)[1].split(":")[0], ":stream" in path)
            else:
                self.refuse(404, path)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the agent no longer wants this answer

    def body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            raw = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                raw += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        encoding = self.headers.get("Content-Encoding", "identity")
        if encoding == "gzip":
            return gzip.decompress(raw)
        if encoding != "identity":
            raise ValueError(f"content encoding {encoding}")
        return raw

    def refuse(self, status, what):
        self.model.refused.append(what)
        self.respond({"type": "error", "error": {"type": "not_found_error", "message": what}}, status)

    def respond(self, value, status=200):
        raw = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(raw)

    def stream(self, events):
        """Sends server-sent events: pairs of a name, which may be None, and a value or a text."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for name, value in events:
            data = value if isinstance(value, str) else json.dumps(value)
            self.wfile.write(((f"event: {name}\n" if name else "") + f"data: {data}\n\n").encode())
            self.wfile.flush()

    def anthropic_messages(self, body):
        results = [
            (block.get("tool_use_id"), text_of(block.get("content")))
            for message in body.get("messages", []) if isinstance(message.get("content"), list)
            for block in message["content"] if block.get("type") == "tool_result"
        ]
        call = self.model.next(body.get("tools"), results, "toolu_01")
        usage = {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS,
                 "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
        stop = "tool_use" if call else "end_turn"
        if call:
            empty = {"type": "tool_use", "id": call.id, "name": call.tool, "input": {}}
            block = {**empty, "input": call.arguments}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(call.arguments)}
        else:
            empty = {"type": "text", "text": ""}
            block = {**empty, "text": DONE if body.get("tools") else SIDE_ANSWER}
            delta = {"type": "text_delta", "text": block["text"]}
        message = {"id": "msg_01" + uuid.uuid4().hex[:22], "type": "message", "role": "assistant", "usage": usage,
                   "model": body.get("model"), "content": [], "stop_reason": None, "stop_sequence": None}
        if not body.get("stream"):
            return self.respond({**message, "content": [block], "stop_reason": stop})
        events = [
            {"type": "message_start", "message": message},
            {"type": "content_block_start", "index": 0, "content_block": empty},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": usage},
            {"type": "message_stop"},
        ]
        return self.stream((event["type"], event) for event in events)

    def openai_responses(self, body):
        items = body.get("input")
        results = [
            (item.get("call_id"), text_of(item.get("output")))
            for item in (items if isinstance(items, list) else [])
            if item.get("type") in ("function_call_output", "custom_tool_call_output")
        ]
        call = self.model.next(body.get("tools"), results, "call_")
        if call:
            item = {"type": "function_call", "id": "fc_" + call.id, "status": "completed", "call_id": call.id,
                    "name": call.tool, "arguments": json.dumps(call.arguments)}
        else:
            item = {"type": "message", "id": "msg_" + uuid.uuid4().hex, "role": "assistant", "status": "completed",
                    "content": [{"type": "output_text", "text": DONE, "annotations": []}]}
        usage = {"input_tokens": INPUT_TOKENS, "input_tokens_details": {"cached_tokens": 0},
                 "output_tokens": OUTPUT_TOKENS, "output_tokens_details": {"reasoning_tokens": 0},
                 "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS}
        response = {"id": "resp_" + uuid.uuid4().hex, "object": "response", "created_at": int(time.time()),
                    "model": body.get("model"), "status": "completed", "output": [item], "usage": usage}
        if not body.get("stream"):
            return self.respond(response)
        events = [
            {"type": "response.created", "response": {**response, "status": "in_progress", "output": [], "usage": None}},
            {"type": "response.output_item.added", "output_index": 0, "item": {**item, "status": "in_progress"}},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": response},
        ]
        return self.stream((event["type"], {**event, "sequence_number": at}) for at, event in enumerate(events))

    def openai_chat(self, body):
        results = [
            (message.get("tool_call_id"), text_of(message.get("content")))
            for message in body.get("messages", []) if message.get("role") == "tool"
        ]
        call = self.model.next(body.get("tools"), results, "call_")
        usage = {"prompt_tokens": INPUT_TOKENS, "completion_tokens": OUTPUT_TOKENS,
                 "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS}
        message = {"role": "assistant", "content": DONE if body.get("tools") else SIDE_ANSWER}
        if call:
            function = {"name": call.tool, "arguments": json.dumps(call.arguments)}
            message = {"role": "assistant", "content": None,
                       "tool_calls": [{"index": 0, "id": call.id, "type": "function", "function": function}]}
        finish = "tool_calls" if call else "stop"
        answer = {"id": "chatcmpl-" + uuid.uuid4().hex, "created": int(time.time()), "model": body.get("model")}
        if not body.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": finish}
            return self.respond({**answer, "object": "chat.completion", "choices": [choice], "usage": usage})
        answer["object"] = "chat.completion.chunk"
        chunks = [
            {**answer, "choices": [{"index": 0, "delta": message, "finish_reason": None}]},
            {**answer, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]},
            {**answer, "choices": [], "usage": usage},
        ]
        return self.stream([(None, chunk) for chunk in chunks] + [(None, "[DONE]")])

    def gemini(self, body, model, stream):
        results = [
            (part["functionResponse"].get("id"), text_of(part["functionResponse"].get("response")))
            for content in body.get("contents", []) for part in content.get("parts", [])
            if "functionResponse" in part
        ]
        config = body.get("generationConfig") or {}
        wants_json = config.get("responseMimeType") == "application/json"
        tools = any(tool.get("functionDeclarations") for tool in body.get("tools") or []) and not wants_json
        call = self.model.next(tools, results, "")
        if call:
            part = {"functionCall": {"id": call.id, "name": call.tool, "args": call.arguments}}
        elif wants_json:
            part = {"text": json.dumps({"reasoning": DONE, "next_speaker": "user", "model_choice": "pro"})}
        else:
            part = {"text": DONE if tools else SIDE_ANSWER}
        candidate = {"index": 0, "content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}
        usage = {"promptTokenCount": INPUT_TOKENS, "candidatesTokenCount": OUTPUT_TOKENS,
                 "totalTokenCount": INPUT_TOKENS + OUTPUT_TOKENS}
        answer = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model,
                  "responseId": uuid.uuid4().hex}
        return self.stream([(None, answer)]) if stream else self.respond(answer)
