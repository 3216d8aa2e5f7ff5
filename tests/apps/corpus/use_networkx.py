"""Graphs: shortest ways, flows, components, centrality, a file format."""

import io

import networkx as nx

graph = nx.Graph([("a", "b"), ("b", "c"), ("c", "d"), ("a", "d")], name="ring")
graph.edges["a", "d"]["weight"] = 9
assert nx.shortest_path(graph, "a", "d") == ["a", "d"]
assert nx.shortest_path(graph, "a", "d", weight="weight") == ["a", "b", "c", "d"]
assert nx.is_connected(graph) and max(nx.betweenness_centrality(graph).values()) > 0
flow = nx.DiGraph()
flow.add_edge("s", "t", capacity=3)
assert nx.maximum_flow_value(flow, "s", "t") == 3
file = io.BytesIO()
nx.write_graphml(nx.path_graph(3), file)
assert nx.read_graphml(io.BytesIO(file.getvalue()), node_type=int).number_of_edges() == 2
assert len(list(nx.topological_sort(nx.DiGraph([(1, 2), (2, 3)])))) == 3
