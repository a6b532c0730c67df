"""A client of grpcio that knows nothing of the plugin server but its address: reflection tells it the rest.

Usage: grpc_reflection_client.py HOST:PORT
"""

import json
import sys

import grpc
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase


def main(address):
    """Finds the services, asks each for something and prints what it got."""
    with grpc.insecure_channel(address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        pool = DescriptorPool(database)

        def ask(service, name, request):
            method = pool.FindServiceByName(service).FindMethodByName(name)
            question = json_format.ParseDict(request, GetMessageClass(method.input_type)())
            stub = channel.unary_unary(
                f"/{service}/{name}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=GetMessageClass(method.output_type).FromString,
            )
            return json_format.MessageToDict(stub(question, timeout=60), preserving_proto_field_name=True)

        config = ask("cpex.PluginService", "GetPluginConfig", {"name": "probeplugin"})
        hook = {"hook_type": "tool_pre_invoke", "plugin_name": "ProbePlugin", "context": {}}
        denied = ask("cpex.PluginService", "InvokeHook", {**hook, "payload": {"name": "deny", "args": {}}})
        print(
            json.dumps(
                {
                    "services": sorted(database.get_services()),
                    "found": [config["found"], config["config"]["name"]],
                    "denied": denied["result"]["violation"]["code"],
                    "health": ask("cpex.Health", "Check", {}),
                    "standard_health": ask("grpc.health.v1.Health", "Check", {"service": "cpex.PluginService"}),
                }
            )
        )


main(sys.argv[1])
