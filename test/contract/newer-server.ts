import { createServer as createHttpServer, type Server } from "node:http";
import { createServer as createHttp2Server, type Http2Server } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import {
  create,
  createFileRegistry,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type Message,
  toBinary,
} from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  DescriptorProtoSchema,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldDescriptorProtoSchema,
  type FileDescriptorProto,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import type { ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { type Flow, FlowSchema } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService, file_ostiary_flow_v1_flow_service } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import {
  file_ostiary_flow_v1_login_service,
  LoginService,
} from "../../gen/ostiary/flow/v1/login_service_pb.js";
import type { Protocol, TestApp } from "../support/app.ts";
import { copiesOf } from "../support/descriptors.ts";

/*
 * A server of a later version, made up: the real one with a method before its password that no client of today knows. The login
 * asks first for a thought, in a stage, with a node and by a step that are new, and what comes of it is a new outcome.
 */

/** The number of everything that is new. */
const newNumber = 60;

/** Starts one for each way that HTTP is spoken; gives the address for a protocol. */
export async function startNewerServer(app: TestApp) {
  const routes = (router: ConnectRouter) => serveNewer(router, app);
  const handler = connectNodeAdapter({ routes });
  const servers: readonly (Server | Http2Server)[] = [createHttpServer(handler), createHttp2Server(handler)];
  // On a busy machine a client may come back late to a connection that it kept.
  for (const server of servers) if ("keepAliveTimeout" in server) server.keepAliveTimeout = 0;
  const sockets = new Set<Socket>();
  for (const server of servers) {
    server.on("connection", (socket: Socket) => sockets.add(socket));
    await new Promise<void>((done) => {
      server.listen(0, "127.0.0.1", done);
    });
  }
  const [plain = "", http2 = ""] = servers.map(
    (server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  );
  return {
    urlFor: (protocol: Protocol) => (protocol === "gRPC" ? http2 : plain),
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      for (const server of servers) await new Promise((done) => server.close(done));
    },
  };
}

function serveNewer(router: ConnectRouter, app: TestApp): void {
  const newer = newerContract();
  /** What the flows that were begun here wait for: those that are not in it have given their thought. */
  const waiting = new Map<string, Flow>();

  router.rpc(newer.method("LoginService", "createLoginFlow"), async (request) => {
    const answer = await app
      .client(LoginService)
      .createLoginFlow(older(LoginService.method.createLoginFlow.input, request));
    if (answer.flow === undefined) throw new Error("there is no flow");
    waiting.set(answer.flow.id, answer.flow);
    return newer.message("CreateLoginFlowResponse", {
      flow: withThought(newer.convert(FlowSchema, answer.flow)),
    });
  });

  router.rpc(newer.method("FlowService", "submitForm"), async (request) => {
    const { input, output } = FlowService.method.submitForm;
    const sent = older(input, request);
    const flow = waiting.get(sent.flowId);
    if (flow === undefined) {
      return newer.convert(output, await app.client(FlowService).submitForm(sent));
    }
    if (sent.step !== "telepathy" || sent.values["telepathy.name"]?.kind.value !== "Ada") {
      throw new Error(`the step was ${sent.step}`);
    }
    waiting.delete(sent.flowId);
    return newer.message("SubmitFormResponse", {
      flow: newer.convert(FlowSchema, flow),
      outcome: { case: "greeted", value: { greeting: "Hello" } },
    });
  });
}

/** A flow that asks for a thought, and offers to type a name in its place. */
function withThought(flow: Message): Message {
  const name = "telepathy.name";
  const step = "telepathy";
  const label = (text: string) => ({ id: 9_999_999, text });
  const nodes = [
    { name: "telepathy.thought", step, kind: { case: "telepathy", value: { channel: 7 } } },
    { name, step, label: label("Your name"), kind: { case: "input", value: { type: 1, required: true } } },
    { name: step, step, label: label("Continue"), kind: { case: "button", value: { importance: 1 } } },
  ];
  const { message } = newerContract();
  const stage = { case: "enterThought", value: message("NewFlowCase", {}) };
  return Object.assign(flow, { stage, form: message("Form", { nodes }) });
}

/** What this version of the contract understands of a message of the later one. */
function older<Desc extends DescMessage>(desc: Desc, message: Message) {
  const { $typeName } = message;
  const schema = newerContract().registry.getMessage($typeName);
  if (schema === undefined) throw new Error(`there is no ${$typeName}`);
  return fromBinary(desc, toBinary(schema, message));
}

let known: ReturnType<typeof makeContract> | undefined;

function newerContract() {
  known ??= makeContract();
  return known;
}

/** The contract of a later version: what there is, and more. */
function makeContract() {
  const files = copiesOf(file_ostiary_flow_v1_flow_service, file_ostiary_flow_v1_login_service);
  const flows = "ostiary/flow/v1/";
  addVariant(files.get(`${flows}form.proto`), "FormNode", "telepathy", [
    "channel",
    FieldDescriptorProto_Type.INT32,
  ]);
  addVariant(files.get(`${flows}flow.proto`), "Flow", "enter_thought", [
    "patience",
    FieldDescriptorProto_Type.INT32,
  ]);
  addVariant(files.get(`${flows}flow_service.proto`), "SubmitFormResponse", "greeted", [
    "greeting",
    FieldDescriptorProto_Type.STRING,
  ]);
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [...files.values()] }));
  const schemaOf = (name: string) => {
    const schema = registry.getMessage(`ostiary.flow.v1.${name}`);
    if (schema === undefined) throw new Error(`there is no ${name}`);
    return schema;
  };
  return {
    registry,
    message: (name: string, init: Record<string, unknown>): Message => create(schemaOf(name), init),
    /** A message of this version as one of the later one. */
    convert: <Desc extends DescMessage>(desc: Desc, message: Parameters<typeof toBinary<Desc>>[1]): Message =>
      fromBinary(schemaOf(desc.name), toBinary(desc, message)),
    method: (service: string, name: string) => {
      const method = registry.getService(`ostiary.flow.v1.${service}`)?.method[name];
      if (method === undefined) throw new Error(`there is no ${service}.${name}`);
      return method as DescMethodUnary;
    },
  };
}

/** Gives the first oneof of a message one more case: a message with a single field. */
function addVariant(
  file: FileDescriptorProto | undefined,
  message: string,
  name: string,
  [fieldName, type]: readonly [string, FieldDescriptorProto_Type],
): void {
  const host = file?.messageType.find((each) => each.name === message);
  if (file === undefined || host === undefined) throw new Error(`there is no ${message}`);
  const label = FieldDescriptorProto_Label.OPTIONAL;
  const typeName = `New${message}Case`;
  const made: DescriptorProto = create(DescriptorProtoSchema, {
    name: typeName,
    field: [create(FieldDescriptorProtoSchema, { name: fieldName, number: 1, type, label })],
  });
  file.messageType.push(made);
  host.field.push(
    create(FieldDescriptorProtoSchema, {
      name,
      number: newNumber,
      type: FieldDescriptorProto_Type.MESSAGE,
      typeName: `.${file.package}.${typeName}`,
      label,
      oneofIndex: 0,
    }),
  );
}
